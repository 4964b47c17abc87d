// What the clients here have in common: node CLIENT.mjs URL [--query Q --count N --variables JSON]
// [--about TEXT …] [--header 'Name: value' …] [--init JSON], where --init is the payload of
// connection_init.
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    query: { type: "string" },
    variables: { type: "string", default: "{}" },
    about: { type: "string", multiple: true, default: [] },
    count: { type: "string", default: "1" },
    header: { type: "string", multiple: true, default: [] },
    init: { type: "string", default: "{}" },
  },
});

export const url = positionals[0];
export const query = values.query;
export const variables = JSON.parse(values.variables);
export const count = Number(values.count);
export const init = JSON.parse(values.init);
export const headers = Object.fromEntries(
  values.header.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  }),
);

/** Print the first `count` events that hold each `about`, one JSON a line; exit 1 if it ends before. */
export async function print(events) {
  let left = count;
  try {
    for await (const event of events) {
      const line = JSON.stringify(event);
      if (!values.about.every((text) => line.includes(text))) continue;
      console.log(line);
      if ((left -= 1) === 0) break;
    }
  } catch (failure) {
    // A list of GraphQL errors, a close event of the socket, or an exception.
    const { code, reason, message } = failure;
    console.error(JSON.stringify(Array.isArray(failure) ? failure : { code, reason, message }));
  }
  process.exitCode = left > 0 ? 1 : 0;
}
