// What replicas of one process ask of each other, beside the APIs that they serve: for a token of their own account and nobody else, and in
// neither discovery nor OpenAPI.
import { StatusError, statusBody, unauthorized } from '../../objects/status.ts'
import { anonymous, type Caller, type Proof } from '../caller.ts'
import { refusedTo } from '../request-info.ts'

/** One path that is answered to GET. */
export interface PrivatePath {
  /** `/ballast/points`: no path of an API server begins so. */
  readonly path: string
  readonly contentType: string
  /** The whole body, bounded by whoever makes it. @throws StatusError */
  answer(query: URLSearchParams, signal: AbortSignal): Promise<Buffer>
}

export interface PrivatePaths {
  readonly all: () => readonly PrivatePath[]
  /** The token by which this process is known to API servers, as it is now; undefined where it has none. */
  readonly token: () => Promise<string | undefined>
}

interface Judging {
  readonly path: string
  callerOf(token: string): Promise<Proof>
  readonly token: PrivatePaths['token']
}

/**
 * Whether whoever shows `proof` is of our own account, which the API server is asked about with our own token: no name is taken from settings.
 * @throws StatusError 401 for a token that is not good, 403 for another's and for none, 503 while it cannot be told who we are
 */
export async function assertOneOfUs(proof: Proof, { path, callerOf, token }: Judging): Promise<void> {
  if (proof.kind === 'failed') throw unauthorized()
  const refused = (caller: Caller) =>
    refusedTo(caller.name, { kind: 'path', path, verb: 'get' }, 'it is for replicas of this process')
  if (proof.kind === 'absent') throw refused(anonymous)
  const own = await token()
  const we = own === undefined ? undefined : await callerOf(own)
  if (we?.kind !== 'caller')
    throw new StatusError(statusBody(503, 'not ready yet: who we are is not known', 'ServiceUnavailable'))
  const { caller } = proof
  if (caller.name !== we.caller.name || caller.uid !== we.caller.uid) throw refused(caller)
}
