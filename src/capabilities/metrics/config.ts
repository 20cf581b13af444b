// The section `capabilities.metrics` of the configuration: how kubelets are asked, and what is made of their answers.
import * as z from 'zod'
import { parseLabelSelector, type Selector } from '#kube/objects/selector.ts'
import { InputError } from '#kube/problem.ts'
import { durationBetween } from '#kube/schema/crd-fields.ts'
import { durationMs } from '#kube/time/duration.ts'
import type { PointRules } from './points/points.ts'
import type { KubeletSettings } from './scrape/kubelet-access.ts'
import type { AddressRules } from './scrape/kubelet-address.ts'

const shortestResolutionMs = 5_000
export const longestResolutionMs = 600_000
export const shortestTimeoutMs = 1_000
const mostTypes = 5
const longestPath = 4_096
const longestSelector = 2_048
/** Points are stale after two and a half scrapes: one that failed is bridged, two are told. */
const staleResolutions = 2.5
/** As upstream: a kubelet that hangs is given up before the next scrape. */
const timeoutShare = 0.9

/** In the order of upstream's program. */
export const kubeletAddressTypes = ['Hostname', 'InternalDNS', 'InternalIP', 'ExternalDNS', 'ExternalIP'] as const

const file = z.string().max(longestPath).default('')

export const metricsConfiguration = z
  .strictObject({
    resolution: durationBetween(shortestResolutionMs, longestResolutionMs)
      .default('15s')
      .describe('time between two scrapes of a kubelet; below 10s kubelets mostly repeat themselves'),
    staleAfter: durationBetween(shortestResolutionMs, longestResolutionMs * 10)
      .optional()
      .describe('how long the last answer of a kubelet is served; default: two and a half resolutions'),
    kubelet: z
      .strictObject({
        requestTimeout: durationBetween(shortestTimeoutMs, longestResolutionMs)
          .default('10s')
          .describe('of a whole request to one kubelet'),
        preferredAddressTypes: z
          .array(z.enum(kubeletAddressTypes))
          .min(1)
          .max(mostTypes)
          .default(['InternalIP', 'ExternalIP', 'Hostname'])
          .describe('the first type that a node has is used'),
        useNodeStatusPort: z.boolean().default(true).describe("the port that a node's status says, where it says one"),
        port: z.int().min(1).max(65_535).default(10_250).describe('otherwise this port'),
        insecureTls: z
          .boolean()
          .default(false)
          .describe(
            "kubelets' certificates are not checked: for clusters where they are self-signed; anybody between could read our token",
          ),
        tls: z
          .enum(['verify', 'pin'])
          .default('verify')
          .describe('pin: the first key seen of each node is kept in a ConfigMap, and no other is believed, whoever signed it'),
        certificateAuthority: file.describe(
          "PEM file of who signs kubelets' certificates; default: the authority of the API server",
        ),
        clientCertificate: file.describe('PEM file that is shown to kubelets in place of our token; with clientKey'),
        clientKey: file,
        format: z.enum(['text', 'protobuf']).default('text').describe('what kubelets are asked for'),
        gzip: z.boolean().default(false).describe('kubelets may compress what they answer: less traffic, more CPU on both sides'),
      })
      .superRefine((kubelet, context) => {
        if (kubelet.certificateAuthority !== '' && kubelet.insecureTls)
          context.addIssue({ code: 'custom', path: ['insecureTls'], message: 'not both insecureTls and certificateAuthority' })
        if (kubelet.tls === 'pin' && (kubelet.insecureTls || kubelet.certificateAuthority !== ''))
          context.addIssue({ code: 'custom', path: ['tls'], message: 'not pin beside insecureTls or certificateAuthority' })
        if ((kubelet.clientCertificate === '') !== (kubelet.clientKey === ''))
          context.addIssue({
            code: 'custom',
            path: ['clientKey'],
            message: 'clientCertificate and clientKey together, or neither',
          })
      })
      .prefault({}),
    nodeSelector: z
      .string()
      .max(longestSelector)
      .default('')
      .superRefine((text, context) => {
        const parsed = parseLabelSelector(text)
        if (!parsed.ok) context.addIssue({ code: 'custom', message: `not ${parsed.problem.expected}` })
      })
      .describe('only these nodes are scraped and listed, such as "type!=virtual-kubelet"'),
    exposeSwap: z.boolean().default(false).describe('tells swap besides CPU and memory, for "kubectl top --show-swap"'),
    exposeEphemeralStorage: z
      .boolean()
      .default(false)
      .describe('tells local disks of nodes and containers, too: one more question to each kubelet a minute'),
    compatibility: z
      .enum(['ours', 'strict'])
      .default('ours')
      .describe(
        "strict: metrics-server's rules to the letter, which lose a pod for one idle container and a node for one missed scrape",
      ),
  })
  .superRefine(({ resolution, staleAfter, kubelet }, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message })
    const [resolutionMs, timeoutMs] = [durationMs(resolution), durationMs(kubelet.requestTimeout)]
    if (timeoutMs > resolutionMs * timeoutShare)
      refuse(['kubelet', 'requestTimeout'], `not a time of at most nine tenths of the resolution, ${resolution}`)
    if (staleAfter !== undefined && durationMs(staleAfter) < resolutionMs)
      refuse(['staleAfter'], `not a time of at least the resolution, ${resolution}`)
  })

export type MetricsConfig = z.output<typeof metricsConfiguration>

/** How points are kept. */
export function pointRules({ resolution, staleAfter, compatibility }: MetricsConfig): PointRules {
  const resolutionMs = durationMs(resolution)
  return {
    resolutionMs,
    staleAfterMs: staleAfter === undefined ? resolutionMs * staleResolutions : durationMs(staleAfter),
    isStrict: compatibility === 'strict',
  }
}

export function addressRules({ kubelet }: MetricsConfig): AddressRules {
  return {
    addressTypes: kubelet.preferredAddressTypes,
    port: kubelet.port,
    useNodeStatusPort: kubelet.useNodeStatusPort,
    scheme: 'https',
  }
}

/** How kubelets are asked: as whom, and whom we believe. */
export function kubeletSettings({ kubelet }: MetricsConfig): KubeletSettings {
  return {
    requestTimeoutMs: durationMs(kubelet.requestTimeout),
    isInsecure: kubelet.insecureTls,
    isPlain: false,
    authorityFile: kubelet.certificateAuthority,
    certificateFile: kubelet.clientCertificate,
    keyFile: kubelet.clientKey,
    format: kubelet.format,
    gzip: kubelet.gzip,
  }
}

/** @throws InputError for a text that the schema would have refused */
export function nodeSelectorOf({ nodeSelector }: Pick<MetricsConfig, 'nodeSelector'>): Selector {
  const parsed = parseLabelSelector(nodeSelector)
  if (!parsed.ok) throw new InputError([parsed.problem])
  return parsed.value
}
