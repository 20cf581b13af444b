// Where ours answers otherwise than the add-on's interceptor.
interface Difference {
  readonly why: string
}

const letters = { why: 'names of hosts are the same in small and capital letters (RFC 4343); upstream answers 404' }
const hints = { why: 'an answer of 1xx bears no headers of ours; the final one does' }
export const differences: Readonly<Record<string, Difference>> = {
  'host in other letters': letters,
  'rule in other letters': letters,
  'host with a dot at its end': { why: 'the dot only says that the name is whole; upstream answers 404' },
  'a semicolon in a query': { why: "Go's proxy drops parameters with semicolons; the target gets the query as it was sent" },
  'trailers of a request': { why: "Go's proxy loses them; they are part of the request" },
  'less than was promised': { why: 'what came is passed on before the connection is cut; upstream cuts it without the head' },
  'early hints': hints,
  processing: hints,
  '100 before an answer': { why: 'a target that says 100 without being asked breaks HTTP: it is answered for with 502' },
}
