// A subscription over server-sent events, in the distinct connections mode.
import { createClient } from "graphql-sse";
import { headers, print, query, url, variables } from "./arguments.mjs";

const client = createClient({ url, headers, retryAttempts: 0 });
await print(client.iterate({ query, variables }));
client.dispose();
