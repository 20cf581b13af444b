// The values of the image mirror's pods, which are its own.
import * as z from 'zod'
import { podFields, tightContainer } from '#deployment/values/agent-values.ts'

const mapping = () => z.record(z.string(), z.unknown())

export const mirrorSchema = z
  .strictObject({
    resources: mapping()
      .default({ requests: { cpu: '10m', memory: '192Mi' }, limits: { memory: '192Mi' } })
      .describe('see the figures in docs/mirror.md; no CPU limit on purpose'),
    tolerations: z.array(mapping()).default([
      { key: 'CriticalAddonsOnly', operator: 'Exists' },
      { effect: 'NoExecute', operator: 'Exists' },
      { effect: 'NoSchedule', operator: 'Exists' },
    ]),
    podSecurityContext: mapping().default({ seccompProfile: { type: 'RuntimeDefault' } }),
    securityContext: mapping()
      .default({ runAsUser: 0, runAsGroup: 0, ...tightContainer })
      .describe("containerd's socket and content belong to root; nothing else of root is kept"),
    livenessProbe: mapping().default({}).describe('empty: none; a mirror without peers still serves what its node has'),
    service: z
      .strictObject({ annotations: z.record(z.string(), z.string()).default({}) })
      .prefault({})
      .describe('the headless Service of the mirrors'),
    cleanup: z
      .strictObject({
        enabled: z.boolean().default(true),
        port: z.int().min(1).max(65_535).default(29_992).describe("on the nodes' addresses, while it runs"),
      })
      .prefault({})
      .describe('before the release goes, give containerd its hosts files back; only where nodeConfiguration.mode is agent'),
    ...podFields('agent-mirror'),
  })
  .prefault({})
  .describe('the DaemonSet of the image mirror; what it does is said in capabilities.mirror')
