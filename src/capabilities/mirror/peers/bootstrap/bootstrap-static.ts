// Bootstrap by a fixed list: multiaddresses with `/p2p/<id>`, as upstream has them; the id can be left out here.
import { InputError } from '#kube/problem.ts'
import { type Contact, parseContact } from '../address.ts'

/** @throws InputError with all entries that are none. */
export function parseStaticPeers(texts: readonly string[], routerPort: number): readonly Contact[] {
  const parsed = texts.map((text, index) => parseContact(text, routerPort, `static-bootstrap-peers[${index}]`))
  const problems = parsed.flatMap(result => (result.ok ? [] : [result.problem]))
  if (problems.length > 0) throw new InputError(problems)
  return parsed.flatMap(result => (result.ok ? [result.value] : []))
}
