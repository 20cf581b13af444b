// The part that answers API servers about objects, and pods of enclaves and FPGAs, on every replica: whoever leads, what is wrong is refused while it is
// written.

import type { ControllerContext, Running } from '#coordination/capability.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { AdmissionRequest, MutatingAnswer, Webhook } from '#kube/server/admission.ts'
import type { DevicesConfig } from '../config.ts'
import { answerDefaults, answerPlugin, webhookLabel } from './admission.ts'
import { acceleratorFunctions, fpgaRegions } from './fpga-kinds.ts'
import { fpgaMappings } from './fpga-mappings.ts'
import { answerFpgaPod, fpgaWebhook, fpgaWebhookLabel, isAboutFpgas } from './fpga-pods.ts'
import { servesFpgas } from './operator-rights.ts'
import { answerSgxPod, podWebhook, podWebhookLabel } from './sgx-pods.ts'

const common = { name: webhookLabel, failurePolicy: 'Fail' } as const

const defaults: Webhook = { ...common, kind: 'mutating', handle: answerDefaults }
const judgement: Webhook = { ...common, kind: 'validating', handle: answerPlugin }
const pods: Webhook = { kind: 'mutating', name: podWebhookLabel, failurePolicy: podWebhook.failurePolicy, handle: answerSgxPod }

/** How long a pod waits for the first look at mappings, of the ten seconds that API servers wait. */
const firstLookLimitMs = 5_000

type Context = Pick<ControllerContext, 'webhooks' | 'informers' | 'clock'>

/** Serves the webhooks where the process can be reached. */
export async function startPluginWebhooks(context: Context, config: DevicesConfig): Promise<Running<DevicesConfig>> {
  const answers = servesFpgas(config) ? new FpgaAnswers(context) : undefined
  const all = [defaults, judgement, pods, ...(answers === undefined ? [] : [answers.webhook])]
  const served = all.map(webhook => context.webhooks?.serve(webhook))
  return {
    health: () => [],
    reconfigure: async next => (servesFpgas(next) === servesFpgas(config) ? 'applied' : 'restart-part'),
    [Symbol.asyncDispose]: async () => {
      for (const one of served) one?.[Symbol.dispose]()
    },
  }
}

/** Answers about pods with FPGAs by the mappings that there are. */
class FpgaAnswers {
  readonly webhook: Webhook
  readonly #context: Context
  readonly #functions: Informer<KubeObject>
  readonly #regions: Informer<KubeObject>

  constructor(context: Context) {
    this.#context = context
    this.#functions = context.informers.of<KubeObject>(acceleratorFunctions, { optional: true })
    this.#regions = context.informers.of<KubeObject>(fpgaRegions, { optional: true })
    this.webhook = {
      kind: 'mutating',
      name: fpgaWebhookLabel,
      failurePolicy: fpgaWebhook.failurePolicy,
      handle: (request, signal) => this.#answer(request, signal),
    }
  }

  async #answer(request: AdmissionRequest, signal: AbortSignal): Promise<MutatingAnswer> {
    if (!isAboutFpgas(request)) return { kind: 'allowed' }
    const unread = await this.#unread(signal)
    const namespace = request.object?.metadata.namespace ?? request.namespace ?? ''
    const mappings = fpgaMappings(this.#functions.store.list(namespace), this.#regions.store.list(namespace))
    const answer = answerFpgaPod(request, mappings)
    // What was not read may have the name: whoever asks again may get an answer, while a pod that is let through waits for ever.
    if (answer.kind !== 'denied' || unread === undefined) return answer
    return { ...answer, message: `${answer.message}; ${unread}`, code: 503, reason: 'ServiceUnavailable' }
  }

  /** Which mappings are not known, and why, after a first look at most so long. */
  async #unread(signal: AbortSignal): Promise<string | undefined> {
    const { informers, clock } = this.#context
    const both = [this.#functions, this.#regions]
    if (!both.every(one => informers.isSettled(one))) {
      const isOver = new AbortController()
      const limit = AbortSignal.any([signal, isOver.signal])
      const looking = Promise.all(both.map(one => informers.settled(one, limit)))
      const waiting = clock.after(firstLookLimitMs, limit)
      await Promise.race([looking, waiting])
      isOver.abort()
      // Whichever was slower ends by the abort, which nobody waits for.
      for (const one of [looking, waiting]) one.catch(() => undefined)
    }
    const unread = both.filter(({ isSynced, state }) => !isSynced && state !== 'absent')
    if (unread.length === 0) return undefined
    return unread
      .map(({ resource, problem = 'the API server has not answered yet' }) => `${resource.resource} are not read: ${problem}`)
      .join('; ')
  }
}
