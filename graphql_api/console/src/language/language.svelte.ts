import { en } from './en';
import { id, type Messages } from './id';

export type Language = 'id' | 'en';

const KEPT = 'jejak-language';
let now = $state<Language>(localStorage.getItem(KEPT) === 'en' ? 'en' : 'id');

export const language = {
  get now(): Language {
    return now;
  },
  set now(chosen) {
    now = chosen;
    localStorage.setItem(KEPT, chosen);
  },
};

/** The messages in the language of now. */
export const t = (): Messages => (now === 'en' ? en : id);

/** What the service says in both languages. */
export const said = (words: { message: string; messageEn: string }): string =>
  now === 'en' ? words.messageEn : words.message;

/** A view's own messages in the language of now; they are loaded with the view. */
export const texts =
  <Words>(id: Words, en: NoInfer<Words>) =>
  (): Words =>
    now === 'en' ? en : id;
