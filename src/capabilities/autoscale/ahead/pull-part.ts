// Images on nodes before a window opens, as a part of `ballast controller`: it looks each minute and asks whoever pulls, once a window. A hint:
// whatever becomes of it, the window opens, and kubelets pull what is missing.
import type { ControllerContext, Running } from '#coordination/capability.ts'
import { type PullOutcome, pullAheadPort } from '#coordination/ports/pull-ahead.ts'
import { messageOf } from '#kube/log.ts'
import { at } from '#kube/objects/object-fields.ts'
import type { Deployment, KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { AutoscaleConfig } from '../config.ts'
import { type ScaledObject, scaledObjectSpec } from '../kinds/scaled-object.ts'
import { scaledObjects } from '../names.ts'
import { emitOn } from '../operator/held-object.ts'
import { wantedAhead } from './pull-plan.ts'

const lookEveryMs = 60_000
const pullFailed = 'ImagesNotPulledAhead'
/** Windows for which is pulled at once; the others wait for the next look. */
const mostAtOnce = 16

type PullContext = Pick<ControllerContext, 'informers' | 'clock' | 'log' | 'ports'> & Parameters<typeof emitOn>[0]

/** Starts it. It idles in a replica where nobody pulls. */
export async function startPullingAhead(
  { informers, clock, log, ports, events }: PullContext,
  _config: AutoscaleConfig,
  outer: AbortSignal,
): Promise<Running<AutoscaleConfig>> {
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  const objects = informers.of<ScaledObject>(scaledObjects)
  const nodes = informers.of<Node>(builtIn.nodes)
  const targets = {
    Deployment: informers.of<Deployment>(builtIn.deployments),
    StatefulSet: informers.of<KubeObject>(builtIn.statefulsets),
  }
  /** Windows that were asked for, by key: when they open. */
  const asked = new Map<string, number>()
  const pulls = new Set<Promise<void>>()

  const sleeping = () =>
    [...objects.store.list()].flatMap(given => {
      // What is wrong with it is said where it is scaled.
      const { data: spec } = scaledObjectSpec.safeParse(given.spec)
      if (spec === undefined) return []
      const object = { ...given, spec }
      const { kind = 'Deployment', name } = spec.scaleTargetRef
      const target =
        kind === 'Deployment' || kind === 'StatefulSet' ? targets[kind].store.get(object.metadata.namespace, name) : undefined
      const template = at(target, 'spec', 'template') as Deployment['spec']['template'] | undefined
      return at(target, 'spec', 'replicas') === 0 && template !== undefined ? [{ object, template }] : []
    })

  /** Once a window, with the first reason; kubelets pull what is missing. */
  const tellMissing = (object: ScaledObject, outcomes: readonly PullOutcome[]) => {
    const missing = outcomes.filter(({ outcome }) => outcome !== 'present')
    const [first] = missing
    if (first === undefined) return
    const why = `${first.image} on ${first.node}: ${first.outcome}${first.message === undefined ? '' : `, ${first.message}`}`
    emitOn(
      { events },
      object,
      'Warning',
      pullFailed,
      `${missing.length} of ${outcomes.length} images are not there before the window: ${why}`,
    )
  }

  const look = () => {
    const nowMs = clock.now()
    for (const [key, opensMs] of asked) if (opensMs < nowMs) asked.delete(key)
    const ahead = ports.take(pullAheadPort)
    if (ahead === undefined) return
    for (const { key, object, images, nodes: names, opensMs } of wantedAhead(sleeping(), [...nodes.store.list()], nowMs)) {
      if (asked.has(key) || pulls.size >= mostAtOnce) continue
      asked.set(key, opensMs)
      const pull = ahead
        .pull({ requester: 'autoscale', images, nodes: names, deadlineMs: opensMs }, signal)
        .then(outcomes => {
          const there = outcomes.filter(({ outcome }) => outcome === 'present').length
          if (there < outcomes.length) tellMissing(object, outcomes)
          log.info(
            { window: key, images: images.length, nodes: names.length, there, of: outcomes.length },
            'images were pulled before a window',
          )
        })
        .catch((error: unknown) => {
          if (signal.aborted) return
          log.warn({ window: key, why: messageOf(error) }, 'images could not be pulled before a window')
          emitOn({ events }, object, 'Warning', pullFailed, `Images could not be pulled before the window: ${messageOf(error)}`)
        })
        .finally(() => pulls.delete(pull))
      pulls.add(pull)
    }
  }

  const run = async () => {
    await informers.allSynced(signal)
    while (!signal.aborted) {
      try {
        look()
      } catch (error) {
        // One object that nobody expected ends no look but this one.
        log.warn({ why: messageOf(error) }, 'windows could not be looked at for images')
      }
      await clock.after(lookEveryMs, signal)
    }
  }
  const running = run().catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  return {
    health: () => [{ name: 'autoscale-ahead', ok: true, message: `images are pulled for ${pulls.size} windows` }],
    reconfigure: async () => 'applied',
    [Symbol.asyncDispose]: async () => {
      stop.abort(new DOMException('nothing is pulled before windows any more', 'AbortError'))
      await running
      await Promise.all(pulls)
    },
  }
}
