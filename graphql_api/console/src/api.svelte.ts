import {
  type AnyVariables,
  Client,
  type CombinedError,
  cacheExchange,
  fetchExchange,
  subscriptionExchange,
  type TypedDocumentNode,
} from '@urql/core';
import { createClient } from 'graphql-ws';
import { language } from './language/language.svelte';
import { at } from './realm';

/** Heard of the live connection: whether it stands now. */
export const connection = $state({ open: false });

const socket = createClient({
  url: () => at('graphql').replace(/^/, location.origin.replace(/^http/, 'ws')),
  lazyCloseTimeout: 1_000,
  keepAlive: 10_000,
  retryAttempts: Number.POSITIVE_INFINITY,
  // A connection that was lost, but not a mistake of ours: that would be made again at once, for ever.
  shouldRetry: (met) => met instanceof Event,
  // It insists on a document; what is asked by an id has none.
  jsonMessageReplacer: (key, value) => (key === 'query' && value === '' ? undefined : value),
  // At first soon, later every ten seconds, no two consoles in step.
  retryWait: (tries) =>
    new Promise((resolve) => {
      setTimeout(resolve, Math.min(10_000, 250 * 2 ** tries) * (0.75 + Math.random() / 2));
    }),
  on: {
    connected: () => {
      connection.open = true;
    },
    closed: () => {
      connection.open = false;
    },
  },
});

const client = new Client({
  url: at('graphql'),
  preferGetMethod: false,
  fetchOptions: { credentials: 'same-origin' },
  exchanges: [
    cacheExchange,
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query = '', variables, ...asked }) => ({
        subscribe: (sink) => ({
          unsubscribe: socket.subscribe(
            { ...asked, query, variables: variables ?? null },
            sink as never,
          ),
        }),
      }),
    }),
  ],
});

/** Why there is no answer: a message for the person, a code for the program. */
export class Trouble extends Error {
  constructor(
    readonly code: string,
    readonly id: string,
    readonly en: string,
  ) {
    super(code);
  }

  get text(): string {
    return language.now === 'en' ? this.en : this.id;
  }
}

const UNREACHABLE = new Trouble(
  'UNREACHABLE',
  'Layanan tidak dapat dihubungi. Periksa sambungan Anda, lalu coba lagi.',
  'The service cannot be reached. Check your connection and try again.',
);

function trouble(error: CombinedError): Trouble {
  const [first] = error.graphQLErrors;
  if (!first) return UNREACHABLE;
  const { code, message_en } = first.extensions as { code?: string; message_en?: string };
  return new Trouble(code ?? 'INTERNAL', first.message, message_en ?? first.message);
}

/** An answer that may still come, and comes again when a mutation changed what it shows. */
export interface Answer<Data> {
  readonly data: Data | undefined;
  readonly trouble: Trouble | undefined;
  ask(): void;
}

/** Ask now and whenever the variables change; to be called while a component is made. */
export function query<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: () => Variables,
): Answer<Data> {
  let data = $state.raw<Data>();
  let failure = $state.raw<Trouble>();
  let asked = $state(0);
  $effect(() => {
    void asked;
    const answers = client.query(document, variables(), { requestPolicy: 'cache-and-network' });
    const { unsubscribe } = answers.subscribe((result) => {
      failure = result.error && trouble(result.error);
      if (result.data) data = result.data;
    });
    return unsubscribe;
  });
  return {
    get data() {
      return data;
    },
    get trouble() {
      return failure;
    },
    ask: () => {
      asked += 1;
    },
  };
}

/** The answer to one question; throws `Trouble`. */
export async function ask<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const result = await client.query(document, variables, { requestPolicy: 'network-only' });
  if (!result.data) throw result.error ? trouble(result.error) : UNREACHABLE;
  return result.data;
}

/** Change something; throws `Trouble`, but for problems that are members of the result. */
export async function change<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const result = await client.mutation(document, variables);
  if (!result.data) throw result.error ? trouble(result.error) : UNREACHABLE;
  return result.data;
}

/** Hear of each event until the returned function is called; a lost socket is opened again. */
export function listen<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  heard: (data: Data) => void,
  ended: () => void,
): () => void {
  const events = client.subscription(document, variables);
  const { unsubscribe } = events.subscribe((result) => {
    if (result.data) heard(result.data);
    if (result.error || !result.hasNext) ended();
  });
  return unsubscribe;
}
