// The agent's role: asks on its own node, and writes node conditions. It can set no taint; ours it takes off its own node where no controller
// does in time.

import type { NodeContext, Running } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { messageOf } from '#kube/log.ts'
import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { durationMs } from '#kube/time/duration.ts'
import type { ReadinessConfig } from '../config.ts'
import { MirrorNews, type MirrorNotices, noticesUrl, readNotices } from '../mirror-notices.ts'
import { nodeFacts } from '../node-facts.ts'
import { nodeReference } from '../telling.ts'
import { ask } from './ask.ts'
import { OwnNodeRelease } from './own-node-release.ts'
import { type Check, checksOf, conditionToWrite, healthOf, type NodeCondition } from './reporter-decision.ts'

/** Asks and writes until it is disposed of. */
export async function startReporter(
  context: NodeContext,
  config: ReadinessConfig,
  outer: AbortSignal,
): Promise<Running<ReadinessConfig>> {
  const { api, node, apiAs } = context
  if (api === undefined) throw new Error('role readiness needs an API server')
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  // Decided once: who writes is the process's business, as its rights are.
  const asNode = config.agent.impersonateNode ? await apiAs?.(`system:node:${node}`) : undefined
  if (config.agent.impersonateNode && asNode === undefined)
    throw new Error('role readiness cannot write as its node here: agent.impersonateNode is for agents in a cluster')
  const release = new OwnNodeRelease(context)
  const reporter = new Reporter(context, { own: api, node: asNode ?? api }, { config, release })
  const running = reporter.run(signal)
  return {
    // The probe of a pod that cannot write now must not end it: what it last wrote ages, and is looked at by whoever reads it.
    health: () => [
      { name: 'readiness-reporter', ok: true, ...(reporter.failure === undefined ? {} : { message: reporter.failure }) },
    ],
    reconfigure: async next => {
      if (next.agent.impersonateNode !== config.agent.impersonateNode) return 'restart-part'
      reporter.config = next
      return 'applied'
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort(new DOMException('the reporter is stopped', 'AbortError'))
      await running
      await reporter[Symbol.asyncDispose]()
      await asNode?.close()
    },
  }
}

class Reporter implements AsyncDisposable {
  config: ReadinessConfig
  /** Why the last condition was not written. */
  failure: string | undefined
  readonly #context: NodeContext
  readonly #api: Api
  readonly #own: Api
  readonly #release: OwnNodeRelease
  readonly #events: EventRecorder
  readonly #news = new MirrorNews()

  /** `own` writes events and lets the node go; `node` reads the node and writes its conditions. */
  constructor(
    context: NodeContext,
    apis: { readonly own: Api; readonly node: Api },
    { config, release }: { readonly config: ReadinessConfig; readonly release: OwnNodeRelease },
  ) {
    this.#context = context
    this.#own = apis.own
    this.#release = release
    this.#api = apis.node
    this.config = config
    const { clock, random, log, identity } = context
    const names = { controller: 'ballast.dev/readiness', instance: identity.instance }
    this.#events = new EventRecorder(apis.own, { clock, random, log, ...names })
  }

  /** Sends what was told and not sent yet. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#events[Symbol.asyncDispose]()
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, node } = this.#context
    while (!signal.aborted) {
      try {
        await this.#report(signal)
        this.failure = undefined
      } catch (error) {
        if (signal.aborted) return
        this.failure = messageOf(error)
        log.warn({ node, why: this.failure }, 'the node’s conditions are not written, tried again')
      }
      await clock.after(durationMs(this.config.agent.interval), signal).catch((reason: unknown) => {
        if (!signal.aborted) throw reason
      })
    }
  }

  async #report(signal: AbortSignal): Promise<void> {
    const { clock, node: name } = this.#context
    const nodes = this.#api.resource<Node>(builtIn.nodes)
    const node = await nodes.get(name, { signal })
    const facts = nodeFacts(node)
    const { labels, address = '127.0.0.1' } = facts
    const checks = checksOf(this.config, { labels, address })
    const [answers, notices] = await Promise.all([
      Promise.all(checks.map(async check => ({ check, answer: await ask(check, signal) }))),
      noticesOf(checks, signal),
    ])
    const regarding = nodeReference(facts)
    for (const { reason, message } of this.#news.of(notices, clock.now()))
      this.#events.emit({ type: 'Warning', reason, action: 'Mirror', regarding, note: message, distinction: message })
    // A node's conditions have a heartbeat that other conditions lack.
    const known: readonly NodeCondition[] = node.status?.conditions ?? []
    const conditions = answers.flatMap(({ check, answer }) => {
      const health = healthOf(check, answer, notices?.problems)
      const heartbeatMs = durationMs(this.config.agent.heartbeat)
      return conditionToWrite(known, { type: check.condition, health, nowMs: clock.now(), heartbeatMs }) ?? []
    })
    if (conditions.length > 0) {
      // Merged by type: conditions of others stay.
      const body = { metadata: { uid: node.metadata.uid }, status: { conditions } }
      await nodes.patch(name, { type: 'strategic', body }, { signal, subresource: 'status', fieldManager: 'ballast-readiness' })
    }
    // The node itself is written by our own account: no node may take taints off itself.
    await this.#release.look(node, { api: this.#own, events: this.#events, config: this.config }, signal)
  }
}

/** What the mirror tells of its node beside whether it serves; `undefined` where there is none, or it is not one of ours. */
async function noticesOf(checks: readonly Check[], signal: AbortSignal): Promise<MirrorNotices | undefined> {
  const mirror = checks.find(({ isMirror }) => isMirror)
  if (mirror === undefined) return undefined
  const answer = await ask({ ...mirror, url: noticesUrl(mirror.url) }, signal)
  return answer.kind === 'answered' && answer.status === 200 ? readNotices(answer.body) : undefined
}
