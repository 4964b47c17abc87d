/**
 * What this browser holds for a traveller of this realm alone, until it is sent or she signs out:
 * fixes and check-ins that the service has not acknowledged, and the last answers.
 */
import { realm } from '@/realm';

type Store = 'fixes' | 'checkIns' | 'answers';

/** Where it is noted who wants this browser to record. */
export const WANTED = `jejak-${realm.slug}-recording`;

let opening: Promise<IDBDatabase> | undefined;
/** After signing out nothing is written any more. */
let shut = false;

function open(): Promise<IDBDatabase> {
  opening ??= new Promise((resolve, reject) => {
    // One database for each realm: what is recorded for one is never sent to another.
    const request = indexedDB.open(`jejak-${realm.slug}`, 1);
    request.onupgradeneeded = () => {
      for (const name of ['fixes', 'checkIns']) {
        request.result.createObjectStore(name, { autoIncrement: true }).createIndex('of', 'member');
      }
      request.result.createObjectStore('answers');
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => {
      opening = undefined;
      reject(request.error);
    };
  });
  return opening;
}

/** One transaction; resolves when it is on disk. */
async function within<Result>(
  names: Store[],
  mode: IDBTransactionMode,
  work: (transaction: IDBTransaction) => IDBRequest<Result>,
): Promise<Result> {
  const database = await open();
  if (shut && mode === 'readwrite') throw new Error('signed out');
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(names, mode, { durability: 'strict' });
    const request = work(transaction);
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

/** Who recorded something, for which trip. */
export interface Owned {
  member: string;
  trip: string;
}

export async function add(store: 'fixes' | 'checkIns', value: Owned): Promise<void> {
  await within([store], 'readwrite', (transaction) => transaction.objectStore(store).add(value));
}

/** The oldest of a member's, with their keys. */
export async function oldest<Value extends Owned>(
  store: 'fixes' | 'checkIns',
  member: string,
  most: number,
): Promise<{ key: IDBValidKey; value: Value }[]> {
  let keys: IDBRequest<IDBValidKey[]> | undefined;
  const values = await within([store], 'readonly', (transaction) => {
    const index = transaction.objectStore(store).index('of');
    keys = index.getAllKeys(member, most);
    return index.getAll(member, most) as IDBRequest<Value[]>;
  });
  return values.map((value, place) => ({ key: keys?.result[place] as IDBValidKey, value }));
}

export async function drop(
  store: 'fixes' | 'checkIns',
  keys: readonly IDBValidKey[],
): Promise<void> {
  await within([store], 'readwrite', (transaction) => {
    const objects = transaction.objectStore(store);
    for (const key of keys) objects.delete(key);
    return objects.count();
  });
}

export const count = (store: 'fixes' | 'checkIns', member: string): Promise<number> =>
  within([store], 'readonly', (transaction) =>
    transaction.objectStore(store).index('of').count(member),
  );

export async function keep(key: string, value: unknown): Promise<void> {
  await within(['answers'], 'readwrite', (transaction) =>
    transaction.objectStore('answers').put(value, key),
  );
}

export const kept = <Value>(key: string): Promise<Value | undefined> =>
  within(['answers'], 'readonly', (transaction) => transaction.objectStore('answers').get(key));

/** Forget the last answers: they were somebody else's, or nobody is signed in any more. */
export async function forget(): Promise<void> {
  await within(
    ['answers'],
    'readwrite',
    (transaction) => transaction.objectStore('answers').clear() as IDBRequest<unknown>,
  );
}

/** How much waits to be sent, whoever recorded it. */
export async function unsent(): Promise<number> {
  let checkIns: IDBRequest<number> | undefined;
  const fixes = await within(['fixes', 'checkIns'], 'readonly', (transaction) => {
    checkIns = transaction.objectStore('checkIns').count();
    return transaction.objectStore('fixes').count();
  });
  return fixes + (checkIns?.result ?? 0);
}

/** Leave nothing behind, and write nothing any more. */
export async function clear(): Promise<void> {
  localStorage.removeItem(WANTED);
  await within(['fixes', 'checkIns', 'answers'], 'readwrite', (transaction) => {
    for (const name of ['fixes', 'checkIns']) transaction.objectStore(name).clear();
    return transaction.objectStore('answers').clear() as IDBRequest<unknown>;
  });
  shut = true;
}
