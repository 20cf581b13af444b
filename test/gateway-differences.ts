// Where ours answers otherwise than the add-on's interceptor. What is to follow it still is marked: its row goes when it does.
interface Difference {
  readonly why: string
  readonly toBeMended?: true
}

const letters = { why: 'names of hosts are the same in small and capital letters (RFC 4343); upstream answers 404' }
const hints = { why: 'an answer of 1xx bears no headers of ours; the final one does' }
const ownError = {
  why: 'an error that we answer after the target was ready does not say whether the request waited; upstream says so',
  toBeMended: true,
} as const

export const differences: Readonly<Record<string, Difference>> = {
  'host in other letters': letters,
  'rule in other letters': letters,
  'host with a dot at its end': { why: 'the dot only says that the name is whole; upstream answers 404' },
  'a semicolon in a query': { why: "Go's proxy drops parameters with semicolons; the target gets the query as it was sent" },
  'trailers of a request': { why: "Go's proxy loses them; they are part of the request" },
  'less than was promised': { why: 'what came is passed on before the connection is cut; upstream cuts it without the head' },
  'early hints': hints,
  processing: hints,
  'OPTIONS *': { why: 'upstream answers 200 by itself; ours finds no target and says 502', toBeMended: true },
  'trailers of an answer': { why: 'the target is not told that the client takes trailers (TE: trailers)', toBeMended: true },
  '100 before an answer': {
    why: 'a target that says 100 without being asked is answered for with 502, and asked more than once',
    toBeMended: true,
  },
  'another upgrade': { why: 'the answer 101 names websocket whatever the target agreed to', toBeMended: true },
  'placeholder without a type': { why: 'HTML is sent as plain text; upstream recognizes it', toBeMended: true },
  'a page without a type': { why: 'no type is said; upstream recognizes it from the text', toBeMended: true },
  'no HTTP': ownError,
  'two lengths': ownError,
  'the connection ends at once': ownError,
  'nobody listens': ownError,
  'no answer in time': ownError,
  'no answer in the time of the whole request': ownError,
}
