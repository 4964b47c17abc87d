// A subscription over graphql-transport-ws; the URL is ws:// or wss://.
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { headers, init, print, query, url, variables } from "./arguments.mjs";

class WebSocketWithHeaders extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { headers });
  }
}

const client = createClient({
  url,
  webSocketImpl: WebSocketWithHeaders,
  connectionParams: init,
  retryAttempts: 0,
});
await print(client.iterate({ query, variables }));
await client.dispose();
