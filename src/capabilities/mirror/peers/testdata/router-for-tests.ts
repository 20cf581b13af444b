// Routers on loopback that find each other by a list in memory: for tests, in one process.
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import type { Peer, Router } from '../../contract.ts'
import type { Contact } from '../address.ts'
import type { Bootstrap } from '../bootstrap/bootstrap-way.ts'
import { type RouterOptions, startRouter } from '../router.ts'

/** Contacts that grow as routers start: each new one knows those before it. */
export class Meeting implements Bootstrap {
  readonly contacts: Contact[] = []

  async find(): Promise<readonly Contact[]> {
    return [...this.contacts]
  }

  /** Knows one router, and that by its addresses only. */
  only(router: Router): Bootstrap {
    const contact = this.contacts.find(({ id }) => id === router.id)
    return { find: async () => (contact === undefined ? [] : [{ id: undefined, addresses: contact.addresses }]) }
  }

  serve = async (own: () => { readonly id: string; readonly addresses: Contact['addresses'] }): Promise<AsyncDisposable> => {
    const { id, addresses } = own()
    const contact = { id, addresses }
    this.contacts.push(contact)
    return {
      [Symbol.asyncDispose]: async () => {
        this.contacts.splice(this.contacts.indexOf(contact), 1)
      },
    }
  }
}

/** A router on a free port of loopback. */
export function routerOnLoopback(bootstrap: Bootstrap, options: Partial<RouterOptions> = {}): Promise<Router> {
  return startRouter({
    address: '127.0.0.1:0',
    bootstrap,
    dataDirectory: '',
    version: '0.1.0',
    zone: '',
    readyWhenAlone: true,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    ...options,
  })
}

/** Looks again until it holds. @throws Error with `what` after `limitMs`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 120_000): Promise<void> {
  const endMs = systemClock.elapsed() + limitMs
  while (!(await holds())) {
    if (systemClock.elapsed() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`)
    await systemClock.after(5)
  }
}

export async function found(router: Router, key: string, count = 3): Promise<readonly Peer[]> {
  const peers: Peer[] = []
  for await (const peer of router.lookup(key, { count, signal: AbortSignal.timeout(120_000) })) peers.push(peer)
  return peers
}
