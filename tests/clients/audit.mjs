// The server audit of graphql-http: prints its results as JSON, exits 1 unless all are "ok".
import { auditServer } from "graphql-http";
import { headers, url } from "./arguments.mjs";

const fetchFn = (target, init = {}) =>
  fetch(target, { ...init, headers: { ...headers, ...init.headers } });
const results = await auditServer({ url, fetchFn });
console.log(
  JSON.stringify(results.map(({ id, name, status, reason }) => ({ id, name, status, reason }))),
);
process.exitCode = results.every(({ status }) => status === "ok") ? 0 : 1;
