"""In which order parts stop: the reverse of how they start, and services before workers."""

from deploy.local.supervisor.specs import Plan


def stops_after(plan: Plan) -> dict[str, set[str]]:
    """Return, for each part, the parts that must have stopped before it is told to stop.

    What comes `after` a part, through one-shots too, stops before it. A worker stops when all
    services have, so that what they still emit is handled, unless it comes after a service itself.
    """
    names = {part.name for part in plan.parts}
    services = {part.name for part in plan.parts if part.kind == "service"}
    needs = {name: _all_needs(plan.dependencies(), name) for name in names}
    order: dict[str, set[str]] = {
        name: {other for other in names if name in needs[other]} for name in names
    }
    for part in plan.parts:
        if part.kind == "worker" and not needs[part.name] & services:
            order[part.name] |= services
    return order


def _all_needs(dependencies: dict[str, set[str]], name: str) -> set[str]:
    needs: set[str] = set()
    waiting = [name]
    while waiting:
        new = dependencies[waiting.pop()] - needs
        needs |= new
        waiting += new
    return needs
