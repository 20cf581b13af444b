// The part that answers API servers about objects and pods of enclaves, on every replica: whoever leads, what is wrong is refused while it is written.

import type { ControllerContext, Running } from '#coordination/capability.ts'
import type { Webhook } from '#kube/server/admission.ts'
import type { DevicesConfig } from '../config.ts'
import { answerDefaults, answerPlugin, webhookLabel } from './admission.ts'
import { answerSgxPod, podWebhook, podWebhookLabel } from './sgx-pods.ts'

const common = { name: webhookLabel, failurePolicy: 'Fail' } as const

const defaults: Webhook = { ...common, kind: 'mutating', handle: answerDefaults }
const judgement: Webhook = { ...common, kind: 'validating', handle: answerPlugin }
const pods: Webhook = { kind: 'mutating', name: podWebhookLabel, failurePolicy: podWebhook.failurePolicy, handle: answerSgxPod }

/** Serves the webhooks where the process can be reached. */
export async function startPluginWebhooks({ webhooks }: Pick<ControllerContext, 'webhooks'>): Promise<Running<DevicesConfig>> {
  const served = [defaults, judgement, pods].map(webhook => webhooks?.serve(webhook))
  return {
    health: () => [],
    reconfigure: async () => 'applied',
    [Symbol.asyncDispose]: async () => {
      for (const one of served) one?.[Symbol.dispose]()
    },
  }
}
