// The port for other agents and the controller, with mutual TLS: content of this node alone, and images to pull beforehand. It opens as
// soon as there is a certificate.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import type { PeerIdentity } from '../contract.ts'
import type { Prefetcher } from '../prefetch.ts'
import type { MirrorSettings } from '../settings.ts'
import { parseListenAddress } from './listen-address.ts'
import { listenTls, type TlsListener } from './listener.ts'
import type { PeerCertificates } from './peer-certificates.ts'
import { answerPrefetch, isPrefetch } from './prefetch-door.ts'
import type { Door, RegistryFront } from './registry-front.ts'

interface PeerDoorOptions {
  readonly settings: Pick<MirrorSettings, 'peerTlsAddress'>
  readonly prefetcher?: Prefetcher | undefined
  readonly clock: Clock
  readonly log: Log
}

/** Every client with a certificate of the same authority may ask: mutual TLS has proven it before a request is read. */
const everybody = { may: () => true } as const

export class PeerDoor implements AsyncDisposable {
  readonly #options: PeerDoorOptions
  readonly #front: Pick<RegistryFront, 'handle'>
  readonly #certificates: Pick<PeerCertificates, 'current' | 'onChange'>
  #listener: TlsListener | undefined
  #changing: Promise<void> = Promise.resolve()
  #watch: Disposable | undefined

  constructor(
    options: PeerDoorOptions,
    of: { readonly front: Pick<RegistryFront, 'handle'>; readonly certificates: Pick<PeerCertificates, 'current' | 'onChange'> },
  ) {
    this.#options = options
    this.#front = of.front
    this.#certificates = of.certificates
  }

  /** `undefined` while there is no certificate. */
  get port(): number | undefined {
    return this.#listener?.port
  }

  /** Opens now where there is a certificate, and takes each that comes. @throws InputError, or where the port is taken */
  async open(): Promise<void> {
    this.#watch = this.#certificates.onChange(identity => {
      this.#changing = this.#changing.then(() => this.#take(identity))
    })
    const { current } = this.#certificates
    if (current !== undefined) await this.#listen(current)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch?.[Symbol.dispose]()
    await this.#changing
    await this.#listener?.[Symbol.asyncDispose]()
  }

  async #take(identity: PeerIdentity): Promise<void> {
    if (this.#listener !== undefined) {
      this.#listener.use(identity)
      return
    }
    try {
      await this.#listen(identity)
    } catch (error) {
      this.#options.log.error({ why: messageOf(error) }, 'the port for other agents could not be opened')
    }
  }

  async #listen(identity: PeerIdentity): Promise<void> {
    const { clock, settings, prefetcher, log } = this.#options
    const address = parseListenAddress(settings.peerTlsAddress ?? '', '--peer-addr')
    if (!address.ok) throw new InputError([address.problem])
    const door: Door = { askers: everybody, credentials: undefined, isForMirrors: true }
    this.#listener = await listenTls({
      address: address.value,
      askers: everybody,
      clock,
      identity,
      handle: (request, response) => {
        if (isPrefetch(request)) void answerPrefetch(request, response, { prefetcher, clock, log })
        else void this.#front.handle(request, response, door)
      },
    })
  }
}
