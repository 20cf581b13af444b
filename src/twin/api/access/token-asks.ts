// What is wrong with a request for an account's token, beyond its shape; in upstream's order and words.
import { invalid } from '#kube/objects/field-error.ts'
import { notFound } from '#kube/objects/status.ts'
import { type Draft, textAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import { refused } from '../validation/validation.ts'
import type { TokenAsk } from './tokens.ts'

/** Seconds that a token is good at most. */
const boundSeconds = 2 ** 32
const kind = { kind: 'TokenRequest', group: 'authentication.k8s.io' }

/** @throws StatusError 422 where name or time do not fit, 404 where the token is to be bound to what is not there */
export function checkTokenAsk(server: ApiServer, body: Draft, { namespace, serviceAccount, seconds, bound }: TokenAsk): void {
  const name = textAt(body, 'metadata', 'name') ?? ''
  if (name !== '' && name !== serviceAccount)
    throw refused(kind, serviceAccount, [invalid('metadata.name', name, 'must match the service account name if specified')])
  if (seconds !== undefined && seconds > boundSeconds)
    throw refused(kind, '', [invalid('spec.expirationSeconds', seconds, 'may not specify a duration larger than 2^32 seconds')])
  if (bound === undefined) return
  const resource = `${bound.kind.toLowerCase()}s`
  if (server.store.get(resource, bound.kind === 'Node' ? undefined : namespace, bound.name) === undefined)
    throw notFound({ group: '', resource }, bound.name)
}
