// The door of mode `proxy`: an authenticating proxy says in headers who asks. It is known by its client certificate, or by being on this
// machine where that was allowed.
import type { X509Certificate } from 'node:crypto'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { asAuthenticated } from '#kube/server/caller.ts'
import { isVouchedFor, presentedChain } from '#kube/server/certificate-trust.ts'
import { tlsSocketOf } from '#kube/server/front/socket-in-pieces.ts'
import { type DashboardConfiguration, isLoopback } from '../configuration.ts'
import { refusal } from '../http/answer.ts'
import type { Asked } from '../http/asked.ts'
import { askingFor, ViewerRights } from './rights.ts'
import type { Admission, Door, Viewer } from './viewer.ts'

/** Whose rights are remembered; those not heard of for longest are forgotten first. */
const mostViewers = 1_000
const longestName = 1_024
const mostGroups = 1_000

type ProxyTrust = NonNullable<DashboardConfiguration['auth']['proxy']>

interface ProxyDoorOptions {
  readonly api: Api
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly trust: ProxyTrust
  readonly authorities: readonly X509Certificate[]
}

export class ProxyDoor implements Door {
  readonly #options: ProxyDoorOptions
  readonly #viewers = new Map<string, Viewer>()

  constructor(options: ProxyDoorOptions) {
    this.#options = options
  }

  admit(asked: Asked): Promise<Admission> {
    return Promise.resolve(this.#admission(asked))
  }

  #admission(asked: Asked): Admission {
    const { trust } = this.#options
    const distrust = this.#distrust(asked)
    if (distrust !== undefined)
      return {
        kind: 'refused',
        canSignIn: false,
        refusal: refusal('proxy-unknown', {
          status: 401,
          message: `Only the proxy may ask here: ${distrust}.`,
          remedy: 'Ask through the proxy, or set auth.proxy for it.',
        }),
      }
    const [name, ...others] = valuesOf(asked, trust.userHeader)
    // Two names: one of them was sent by whoever asks, and the proxy did not take it out.
    if (name === undefined || others.length > 0 || name.length > longestName)
      return {
        kind: 'refused',
        canSignIn: false,
        refusal: refusal('proxy-user-missing', {
          status: 401,
          message: `The proxy names ${others.length > 0 ? 'two users' : 'no user'} in ${trust.userHeader}.`,
          remedy: 'The proxy has to set this header itself and to remove what browsers send.',
        }),
      }
    const groups = valuesOf(asked, trust.groupHeader)
      .flatMap(value => value.split(','))
      .map(group => group.trim())
      .filter(group => group !== '')
    return { kind: 'viewer', viewer: this.#viewer(name, groups.slice(0, mostGroups)) }
  }

  /** Why the peer is not believed; undefined: it is. */
  #distrust({ peer, message }: Asked): string | undefined {
    const { trust, authorities, clock } = this.#options
    if (trust.trustLoopback && isLoopback(peer)) return undefined
    if (trust.caFile === undefined) return 'this peer is not on this machine'
    const socket = tlsSocketOf(message.socket)
    const chain = socket !== undefined ? presentedChain(socket.getPeerX509Certificate()) : []
    const [own] = chain
    if (own === undefined) return 'it showed no client certificate'
    if (!isVouchedFor(chain, authorities, clock.now())) return 'its client certificate is of another authority'
    const subject: unknown = own.toLegacyObject().subject.CN
    if (trust.allowedNames.length > 0 && !(typeof subject === 'string' && trust.allowedNames.includes(subject)))
      return 'its client certificate has another name'
    return undefined
  }

  #viewer(name: string, given: readonly string[]): Viewer {
    const { api, clock, signal } = this.#options
    const { groups } = asAuthenticated({ name, groups: given, extra: {} })
    const id = JSON.stringify([name, groups.toSorted()])
    const known = this.#viewers.get(id)
    const viewer = known ?? {
      name,
      groups,
      id,
      rights: new ViewerRights(askingFor(api, { name, groups }), clock, signal),
      isReadingAll: false,
      api,
      isSpokenFor: true,
      ended: undefined,
      stillIs: () => Promise.resolve(true),
    }
    this.#viewers.delete(id)
    this.#viewers.set(id, viewer)
    for (const oldest of this.#viewers.keys()) {
      if (this.#viewers.size <= mostViewers) break
      this.#viewers.delete(oldest)
    }
    return viewer
  }
}

/** Every value of a header, as often as it was sent, in UTF-8. */
function valuesOf({ message }: Asked, header: string): readonly string[] {
  const wanted = header.toLowerCase()
  const { rawHeaders } = message
  const values: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2)
    if (rawHeaders[index]?.toLowerCase() === wanted)
      values.push(
        Buffer.from(rawHeaders[index + 1] ?? '', 'latin1')
          .toString('utf8')
          .trim(),
      )
  return values.filter(value => value !== '')
}
