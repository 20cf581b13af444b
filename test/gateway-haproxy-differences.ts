// Where HAProxy as data plane answers otherwise than the gateway itself does, and why that is safe: the checks with real parts run the same
// cases with both.

interface Difference {
  readonly why: string
  /** For cases of bytes: what the client gets first, and the first lines that the target sees. */
  readonly statuses?: readonly number[]
  readonly seen?: readonly string[]
}

const closes =
  'the chunks count, the length is taken away, and the connection ends after the answer: what follows is nobody’s request'
const lineFeeds = 'a bare line feed ends a line; the target gets whole ends of lines'
const folded = 'a folded value becomes one line'
const post = ['POST / HTTP/1.1']
const get = ['GET / HTTP/1.1']

/** By the name of a case, in whichever table it stands. */
export const haproxyDifferences: Readonly<Record<string, Difference>> = {
  'CL.TE': { why: closes, statuses: [200], seen: post },
  'TE.CL': { why: closes, statuses: [200], seen: post },
  'a length beside chunks, as it should be': { why: closes, statuses: [200], seen: post },
  'gzip, chunked': { why: 'it has a status of its own', statuses: [422] },
  'gzip before chunked': { why: 'it has a status of its own', statuses: [422] },
  'a folded encoding': {
    why: `${folded}: what is behind the chunks is the next request`,
    statuses: [200],
    seen: [...post, 'GET /hidden HTTP/1.1'],
  },
  'a folded header': { why: folded, statuses: [200], seen: get },
  'a line feed at the very end': { why: lineFeeds, statuses: [200], seen: post },
  'an extension of 64 KiB': { why: 'it may pass over it', statuses: [0, 200, 400], seen: post },
  'bare line feeds': { why: lineFeeds, statuses: [200], seen: get },
  'a bare line feed in a value': { why: lineFeeds, statuses: [200], seen: get },
  'a bare line feed in a header': { why: lineFeeds, statuses: [200], seen: get },
  'a hidden request behind a bare line feed': {
    why: `${lineFeeds}: what is behind an empty line is the next request`,
    statuses: [200],
    seen: [...get, 'GET /hidden HTTP/1.1'],
  },
  'two lengths of nothing': { why: 'equal ones are one', statuses: [200], seen: [...post, 'GET /hidden HTTP/1.1'] },
  'two equal hosts': { why: 'equal ones are one', statuses: [200], seen: get },
  'a tab before the target': { why: 'a tab counts as a space', statuses: [200], seen: get },
  'headers of a mebibyte': { why: 'it knows no 431', statuses: [400] },
  'a target of 128 KiB': { why: 'it knows no 414', statuses: [400] },
  'the absolute form against Host': { why: 'both have to be equal', statuses: [400], seen: [] },
  'the absolute form counts more than Host': { why: 'both have to be equal', statuses: [400], seen: [] },
  'absolute form against Host': { why: 'both have to be equal' },
  'an answer that ends with its connection': { why: 'it is passed on as it is, and ends with the connection to the client' },
  'an answer of HTTP/1.0': { why: 'it is passed on as it is, and ends with the connection to the client' },
  "the answer's headers of the hop stay": { why: 'headers that an answer names in Connection are passed on' },
}
