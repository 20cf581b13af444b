// The ports of a mirror whose data plane is nginx: the front answers what nginx asks, and says who carries what.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { Askers } from '../front/askers.ts'
import type { ListenAddress } from '../front/listen-address.ts'
import type { PeerCertificates } from '../front/peer-certificates.ts'
import type { Carrier, Door, RegistryFront } from '../front/registry-front.ts'
import type { MirrorSettings } from '../settings.ts'
import { NginxCarrier } from './carrier.ts'
import { NginxPlane } from './nginx-plane.ts'
import { hasIpv6, nginxTrouble } from './nginx-program.ts'

/** Connections of nginx: of a client, and to the agent or a peer, for each of 1,000 requests at once. Each takes 0.4 KiB from the start. */
const connections = 4_096

interface PlaneDoorsOptions {
  readonly settings: Pick<MirrorSettings, 'basicAuth' | 'headerTimeoutMs' | 'stallTimeoutMs'>
  readonly registry: readonly ListenAddress[]
  /** Where other agents ask with mutual TLS; undefined: nowhere. */
  readonly peers: ListenAddress | undefined
  readonly askers: Askers
  readonly certificates: Pick<PeerCertificates, 'current' | 'onChange'> | undefined
  readonly front: Pick<RegistryFront, 'handle'>
  /** Told of each request that containerd's ports get. */
  readonly onAsked: (request: IncomingMessage) => void
  /** Told of each request that nginx answered by itself, since there were too many. */
  readonly onTurnedAway: () => void
  /** Answers what comes to the port of the peers and is no content; whether it was that. */
  readonly onPeersAsk: (request: IncomingMessage, response: ServerResponse) => boolean
  readonly clock: Clock
  readonly log: Log
}

/**
 * Whether nginx is to have the ports, as the settings say and the machine allows.
 * @throws Error where it has to be nginx and there is none that can be used
 */
export async function takesNginx({ dataPlane }: Pick<MirrorSettings, 'dataPlane'>, log: Log): Promise<boolean> {
  if (dataPlane === 'builtin') return false
  const trouble = await nginxTrouble()
  if (trouble === undefined) return true
  if (dataPlane === 'nginx') throw new Error(`dataPlane: nginx: ${trouble}`)
  log.info({ why: trouble }, 'bodies are carried by this process itself')
  return false
}

export class PlaneDoors implements AsyncDisposable {
  readonly #plane: NginxPlane
  readonly #carrier: NginxCarrier
  readonly #watch: Disposable | undefined

  /** @throws Error where nginx does not start: what it said, such as that a port is taken */
  static async open(options: PlaneDoorsOptions): Promise<PlaneDoors> {
    const { front, askers, settings, registry, peers, certificates, clock, log } = options
    let carrier: Carrier | undefined
    const door = (of: Omit<Door, 'carrier'>): Door => ({ ...of, carrier })
    const plane = await NginxPlane.start(
      {
        ...{ registry, peers, connections, clock, log },
        onTurnedAway: options.onTurnedAway,
        hasIpv6: hasIpv6(),
        connectMs: settings.headerTimeoutMs,
        stallMs: settings.stallTimeoutMs,
        onRegistry: (request, response) => {
          options.onAsked(request)
          void front.handle(request, response, door({ askers, credentials: settings.basicAuth, isForMirrors: false }))
        },
        onPeers: (request, response) => {
          if (options.onPeersAsk(request, response)) return
          // Mutual TLS has proven who asks before a request is read.
          void front.handle(request, response, door({ askers: everybody, credentials: undefined, isForMirrors: true }))
        },
      },
      certificates?.current,
    )
    const made = new NginxCarrier({
      orders: plane.orders,
      clock,
      log,
      hear: () => plane.hear(),
      endWorker: worker => plane.endWorker(worker),
    })
    carrier = made
    return new PlaneDoors(plane, made, certificates)
  }

  private constructor(plane: NginxPlane, carrier: NginxCarrier, certificates: PlaneDoorsOptions['certificates']) {
    this.#plane = plane
    this.#carrier = carrier
    this.#watch = certificates?.onChange(identity => plane.use(identity))
  }

  /** Whether it has its ports. */
  get isUp(): boolean {
    return this.#plane.isUp
  }

  /** Hears of bodies that have ended, so that they are counted. */
  hear(): void {
    this.#plane.hear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch?.[Symbol.dispose]()
    await this.#plane[Symbol.asyncDispose]()
    this.#carrier[Symbol.dispose]()
  }
}

const everybody = { may: () => true } as const
