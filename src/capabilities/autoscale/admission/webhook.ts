// The webhook for objects of KEDA's kinds: every replica of the controller answers it, and has API servers ask.
import { isDeepStrictEqual } from 'node:util'
import type { ControllerContext, Running } from '#coordination/capability.ts'
import { messageOf } from '#kube/log.ts'
import { at } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { Webhook } from '#kube/server/admission.ts'
import type { AutoscaleConfig } from '../config.ts'
import { kedaWebhookMetrics } from '../counts/webhook-metrics.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import { eventingGroup, kedaGroup, kedaVersion, scaledObjects } from '../names.ts'
import { targetKindOf } from '../operator/target.ts'
import { answerObject, type Look } from './answers.ts'
import { isResourceTrigger } from './modifiers.ts'
import { admissionConfigurationName, judgedResources, limitRanges, objectWebhookName, webhookPath } from './webhook-names.ts'

/** How long an API server waits: so long a write is held up where nobody answers. */
const timeoutSeconds = 5
/** LimitRanges of a namespace that are looked at. */
const mostLimitRanges = 100

/** Serves the webhook where the process can be reached. */
export async function startAdmission(
  context: Pick<ControllerContext, 'webhooks' | 'clock' | 'api' | 'informers' | 'metrics'>,
  _config: AutoscaleConfig,
): Promise<Running<AutoscaleConfig>> {
  const { webhooks, clock } = context
  const metrics = context.metrics === undefined ? undefined : kedaWebhookMetrics(context.metrics)
  const webhook: Webhook = {
    kind: 'validating',
    name: 'objects.autoscale',
    failurePolicy: 'Ignore',
    handle: (request, signal) =>
      answerObject(
        request,
        object => neighboursOf(object, context, request.dryRun === true, signal),
        clock.now(),
        (...judged) => metrics?.judged(...judged),
      ),
  }
  const served = webhooks?.serve(webhook)
  return {
    health: () => [],
    reconfigure: async () => 'applied',
    [Symbol.asyncDispose]: async () => served?.[Symbol.dispose](),
  }
}

async function neighboursOf(
  object: ScaledObject,
  { informers, api, clock }: Pick<ControllerContext, 'clock' | 'api' | 'informers'>,
  isDryRun: boolean,
  signal: AbortSignal,
): ReturnType<Look> {
  const { namespace } = object.metadata
  const asksRequests = !isDryRun && object.spec.triggers.some(isResourceTrigger)
  const ranges = asksRequests
    ? await api.resource<KubeObject>(limitRanges).list({ namespace, signal, limit: mostLimitRanges })
    : { items: [] }
  return {
    objects: informers.of<ScaledObject>(scaledObjects).store.list(namespace),
    autoscalers: informers.of<KubeObject>(builtIn.horizontalpodautoscalers).store.list(namespace),
    template: asksRequests ? await templateOf(object, api, signal) : undefined,
    limitRanges: ranges.items,
    isDryRun,
    nowMs: clock.now(),
  }
}

/** Only Deployments and StatefulSets are looked at, as by upstream. A target that is not there yet has nothing wrong with it. */
async function templateOf(object: ScaledObject, api: ControllerContext['api'], signal: AbortSignal): Promise<unknown> {
  const { group, resource } = await targetKindOf(object, api, signal)
  if (group !== 'apps' || !['deployments', 'statefulsets'].includes(resource)) return undefined
  const kind = resource === 'deployments' ? builtIn.deployments : builtIn.statefulsets
  try {
    const { namespace } = object.metadata
    return at(
      await api.resource<KubeObject>(kind).get(object.spec.scaleTargetRef.name, { namespace, signal }),
      'spec',
      'template',
    )
  } catch (error) {
    if (!isNotFound(error)) throw error
    return undefined
  }
}

/** What makes API servers ask. */
export function admissionConfiguration(
  clientConfig: Readonly<Record<string, unknown>>,
  annotations: Readonly<Record<string, string>> = {},
): KubeObject {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: {
      name: admissionConfigurationName,
      labels: { 'ballast.dev/managed': 'true', 'ballast.dev/capability': 'autoscale' },
      annotations: { ...annotations },
    },
    webhooks: [
      {
        name: objectWebhookName,
        failurePolicy: 'Ignore',
        sideEffects: 'None',
        timeoutSeconds,
        admissionReviewVersions: ['v1'],
        clientConfig,
        rules: [kedaGroup, eventingGroup].map(group => ({
          apiGroups: [group],
          apiVersions: [kedaVersion],
          operations: ['CREATE', 'UPDATE'],
          resources: judgedResources[group],
          scope: '*',
        })),
      },
    ],
  }
}

/** How often it is seen that the configuration is as it is wanted; what we wrote is written anew after so long, since others may change it. */
const lookEveryMs = 60_000
const freshMs = 10 * 60_000

/** Keeps the configuration, where we can be reached. Every replica does: they write the same. */
export async function startAdmissionKeeper(
  { api, webhooks, clock, log }: Pick<ControllerContext, 'api' | 'webhooks' | 'clock' | 'log'>,
  _config: AutoscaleConfig,
  outer: AbortSignal,
): Promise<Running<AutoscaleConfig>> {
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  let problem: string | undefined
  const keep = async () => {
    let written: { readonly object: KubeObject; readonly atMs: number } | undefined
    while (!signal.aborted) {
      const object =
        webhooks === undefined ? undefined : admissionConfiguration(webhooks.clientConfig(webhookPath), webhooks.annotations?.())
      const isFresh =
        object === undefined ||
        (written !== undefined && clock.elapsed() - written.atMs < freshMs && isDeepStrictEqual(written.object, object))
      try {
        if (!isFresh) {
          await api
            .resource<KubeObject>(builtIn.validatingwebhookconfigurations)
            .apply(object, { signal, fieldManager: 'ballast-autoscale', force: true })
          written = { object, atMs: clock.elapsed() }
        }
        problem = undefined
      } catch (error) {
        if (signal.aborted) return
        problem = messageOf(error)
        log.warn({ capability: 'autoscale', why: problem }, 'the configuration of the webhook could not be kept, tried again')
      }
      await clock.after(lookEveryMs, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
    }
  }
  const running = keep()
  return {
    health: () => (problem === undefined ? [] : [{ name: 'autoscale-webhook', ok: false, isGating: false, message: problem }]),
    reconfigure: async () => 'applied',
    [Symbol.asyncDispose]: async () => {
      stop.abort(new DOMException('the webhook of autoscaling is no longer kept', 'AbortError'))
      await running
    },
  }
}
