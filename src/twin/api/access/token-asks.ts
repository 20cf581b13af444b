// What is wrong with a request for an account's token, beyond its shape; in upstream's order and words.
import { invalid } from '#kube/objects/field-error.ts'
import { badRequest, conflict, notFound } from '#kube/objects/status.ts'
import { type Draft, fieldsAt, textAt, valueAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import { refused } from '../validation/validation.ts'

/** Seconds that a token is good at most. */
const boundSeconds = 2 ** 32
const kind = { kind: 'TokenRequest', group: 'authentication.k8s.io' }
const resources: Readonly<Record<string, string>> = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' }

interface Account {
  readonly namespace: string
  readonly name: string
}

/** @throws StatusError 422 where name or time do not fit, 404, 409 or 400 where the token is to be bound to what is not there or not to be bound to */
export function checkTokenAsk(server: ApiServer, body: Draft, account: Account): void {
  for (const part of ['name', 'namespace'] as const) {
    const given = textAt(body, 'metadata', part) ?? ''
    const what = part === 'name' ? 'name' : 'namespace'
    if (given !== '' && given !== account[part])
      throw refused(kind, account.name, [
        invalid(`metadata.${part}`, given, `must match the service account ${what} if specified`),
      ])
  }
  if (server.store.get('serviceaccounts', account.namespace, account.name) === undefined)
    throw notFound({ group: '', resource: 'serviceaccounts' }, account.name)
  const at = 'spec.expirationSeconds'
  const given = valueAt(body, 'spec', 'expirationSeconds')
  const seconds = typeof given === 'number' || typeof given === 'bigint' ? given : shortestToken
  if (seconds < shortestToken) throw refused(kind, '', [invalid(at, seconds, 'may not specify a duration less than 10 minutes')])
  if (seconds > boundSeconds)
    throw refused(kind, '', [invalid(at, seconds, 'may not specify a duration larger than 2^32 seconds')])
  const reference = fieldsAt(body, 'spec', 'boundObjectRef')
  if (reference !== undefined) checkBound(server, reference, account)
}

const shortestToken = 600

function checkBound(server: ApiServer, reference: Draft, account: Account): void {
  const [apiVersion, bound] = [textAt(reference, 'apiVersion') ?? '', textAt(reference, 'kind') ?? '']
  const resource = Object.hasOwn(resources, bound) && !apiVersion.includes('/') ? resources[bound] : undefined
  if (resource === undefined) {
    const shown = `${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=${bound}`
    throw badRequest(`cannot bind token to object of type ${shown}`)
  }
  const name = textAt(reference, 'name') ?? ''
  const object = server.store.get(resource, bound === 'Node' ? undefined : account.namespace, name)
  if (object === undefined) throw notFound({ group: '', resource }, name)
  if (bound === 'Pod' && textAt(object, 'spec', 'serviceAccountName') !== account.name) {
    const who = JSON.stringify(account.name)
    throw badRequest(`cannot bind token for serviceaccount ${who} to pod running with different serviceaccount name.`)
  }
  const uid = textAt(reference, 'uid') ?? ''
  if (uid === '' || uid === object.metadata.uid) return
  const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`
  throw conflict({ group: '', resource: bound }, name, why)
}
