// What a controller asks of an agent beforehand: images that its node is going to need. `POST /ballast/prefetch` on the peers' port, mutual
// TLS. Asked again with the same images it tells how each of them stands, so there is nothing else to ask.
import * as z from 'zod'
import { parseImageName } from './reference.ts'

export const prefetchPath = '/ballast/prefetch'
/** What the certificate of every agent and of the controller names: addresses of nodes change, and prove nothing. */
export const agentTlsName = 'ballast-agent'

/** Images of one request. */
export const mostPrefetched = 64
/** Characters of an image's whole name. */
const longestImageName = 768
/** Bytes of its body: that many names of full length, and some. */
export const longestPrefetch = 65_536

/** The body of the request, as JSON. */
export const prefetchRequest = z.strictObject({
  images: z
    .array(
      z
        .string()
        .max(longestImageName)
        .refine(text => parseImageName(text) !== undefined, 'not an image such as "docker.io/library/nginx:1.29"'),
    )
    .min(1)
    .max(mostPrefetched),
})

const states = ['queued', 'pulling', 'present', 'failed', 'refused'] as const

/** How one image stands on a node. */
const prefetchState = z.strictObject({
  image: z.string(),
  /** `refused`: the queue is full; ask later. */
  state: z.enum(states),
  /** Why it failed or was refused. */
  message: z.string().optional(),
})

/** The answer, with 202: one entry for each image, in the order of the request. */
export const prefetchAnswer = z.strictObject({ images: z.array(prefetchState) })

export type PrefetchState = z.output<typeof prefetchState>

/** Pulls images beforehand on this node, one after the other. */
export interface Prefetcher {
  /** Queues those that are not here, and tells how each stands. Never throws; comes back within a second. */
  ask(images: readonly string[]): Promise<readonly PrefetchState[]>
}
