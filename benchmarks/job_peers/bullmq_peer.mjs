// BullMQ's jobs: `node bullmq_peer.mjs POSTGRES_SOCKET_FOLDER DATABASE REDIS_PORT STYLE ROLE …`.
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { Queue, Worker } = require("bullmq");
const { Pool } = require("pg");

const [folder, database, redis, style, role, ...numbers] = process.argv.slice(2);
const connection = { host: "127.0.0.1", port: Number(redis), maxRetriesPerRequest: null };
const options = { removeOnComplete: 100, removeOnFail: 50, attempts: 3 };
const BULK = 100;
const AT_ONCE = 10;

if (role === "work") {
  const pool = new Pool({ host: folder, user: "postgres", database, max: 10 });
  const insert = { name: "insert", text: "INSERT INTO done (key) VALUES ($1)" };
  new Worker("rows", (job) => pool.query({ ...insert, values: [job.data.key] }), {
    connection,
    concurrency: 50,
  });
} else {
  const queue = new Queue("rows", { connection, defaultJobOptions: options });
  const [first, count, rate] = numbers.map(Number);
  const keys = Array.from({ length: count }, (_, number) => first + number);
  if (role === "enqueue" && style === "bulk") {
    for (let start = 0; start < count; start += BULK) {
      const batch = keys.slice(start, start + BULK);
      await queue.addBulk(batch.map((key) => ({ name: "insert", data: { key } })));
    }
  } else if (role === "enqueue") {
    const left = keys.values();
    const enqueueInTurn = async () => {
      for (const key of left) await queue.add("insert", { key });
    };
    await Promise.all(Array.from({ length: AT_ONCE }, enqueueInTurn));
  } else {
    const began = performance.now();
    for (const [number, key] of keys.entries()) {
      const wait = began + (number * 1000) / rate - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      console.log(key, Date.now() / 1000);
      await queue.add("insert", { key });
    }
  }
  await queue.close();
}
