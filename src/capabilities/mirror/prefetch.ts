// What a controller asks of an agent beforehand: images that its node is going to need. `POST /ballast/prefetch` on the peers' port, mutual
// TLS. Asked again with the same images it tells how each of them stands, so there is nothing else to ask.

export const prefetchPath = '/ballast/prefetch'
/** What the certificate of every agent and of the controller names: addresses of nodes change, and prove nothing. */
export const agentTlsName = 'ballast-agent'

/** Images of one request. */
export const mostPrefetched = 64
/** Characters of an image's whole name. */
export const longestImageName = 768
/** Bytes of its body: that many names of full length, and some. */
export const longestPrefetch = 65_536

/** How one image stands on a node. */
export interface PrefetchState {
  readonly image: string
  /** `refused`: the queue is full; ask later. */
  readonly state: (typeof prefetchStates)[number]
  /** Why it failed or was refused. */
  readonly message?: string | undefined
}

export const prefetchStates = ['queued', 'pulling', 'present', 'failed', 'refused'] as const

/** Pulls images beforehand on this node, one after the other. */
export interface Prefetcher {
  /** Queues those that are not here, and tells how each stands. Never throws; comes back within a second. */
  ask(images: readonly string[]): Promise<readonly PrefetchState[]>
}
