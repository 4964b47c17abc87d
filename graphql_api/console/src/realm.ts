/** The regency or province that this page was served for, as graphql_api/front.py wrote it. */
const meta = document.querySelector<HTMLMetaElement>('meta[name=realm]');
if (!meta) throw new Error('served without a realm');

const { name = '', code = '', zone = 'Asia/Makassar' } = meta.dataset;

export const realm = {
  slug: meta.content,
  name,
  /** Kemendagri's: 64.72. */
  code,
  /** IANA name; days are counted there. */
  zone,
  isProvince: meta.dataset.zone === undefined,
} as const;

/** The address of a view of this realm. */
export const at = (path = ''): string => `/${realm.slug}/${path}`;
