// The section `capabilities.autoscale` of the configuration.
import { isIP } from 'node:net'
import * as z from 'zod'
import { durationBetween } from '#kube/schema/crd-fields.ts'
import { durationMs } from '#kube/time/duration.ts'
import { refusedByDefault } from './refused-addresses.ts'

const mostKinds = 32
const mostRanges = 64
const mostGroups = 64
const mostTokenAccounts = 256
const longestTimeoutMs = 60_000
const shortestTokenMs = 3_600_000
const longestTokenMs = 21_600_000

const scaleKind = z.strictObject({
  group: z.string().max(253),
  version: z.string().min(1).max(63),
  kind: z.string().min(1).max(63),
  resource: z.string().min(1).max(63),
})

/** An address or a range of them. */
const addressRange = z.string().refine(isRange, 'expected an address or a range such as 10.0.0.0/8')

function isRange(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

const spanningGroup = z.strictObject({
  name: z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'expected a label of DNS'),
  namespaces: z.array(z.string().min(1).max(63)).min(1).max(mostRanges),
})

const addresses = z.strictObject({
  deny: z
    .array(addressRange)
    .max(mostRanges)
    .default([...refusedByDefault])
    .describe('no trigger reaches these, by whatever name; default: this host, link-local addresses and data of clouds'),
  allow: z.array(addressRange).max(mostRanges).default([]).describe('triggers reach these all the same'),
})

export const autoscaleConfiguration = z.strictObject({
  scaleKinds: z
    .array(scaleKind)
    .max(mostKinds)
    .default([])
    .describe(
      'kinds with a scale that ScaledObjects may target, beside Deployment, StatefulSet, ReplicaSet and the Rollout of Argo; rights follow from them',
    ),
  httpTimeout: durationBetween(100, longestTimeoutMs).default('3s').describe('of one request to a source that says nothing else'),
  clusterName: z
    .string()
    .min(1)
    .max(253)
    .default('kubernetes-default')
    .describe('of this cluster, in CloudEvents whose source names none'),
  groups: z
    .array(spanningGroup)
    .max(mostGroups)
    .refine(given => new Set(given.map(({ name }) => name)).size === given.length, 'expected each name once')
    .default([])
    .describe(
      'groups of ScaledObjects (ballast.dev/one-awake) that span namespaces: whoever may write ScaledObjects in one of these may put those of the others to sleep',
    ),
  restrictSecretAccess: z.boolean().default(false).describe('only Secrets of our own namespace are read'),
  clusterObjectNamespace: z
    .string()
    .max(63)
    .default('')
    .describe('where a ClusterTriggerAuthentication finds its Secrets and ConfigMaps; default: our own namespace'),
  addresses: addresses.prefault({}).describe('where triggers may lead, judged by the address that a name has when we connect'),
  filePathRoot: z
    .string()
    .max(4096)
    .default('')
    .describe('below it are the files that a ClusterTriggerAuthentication names; empty: it may name none'),
  tokenNamespaces: z
    .array(z.string().min(1).max(63))
    .max(mostRanges)
    .default([])
    .describe('where authentications may ask for tokens of ServiceAccounts; rights follow from it'),
  tokenAudiences: z
    .record(z.string(), z.string().min(1))
    .refine(given => Object.keys(given).length <= mostTokenAccounts, `at most ${mostTokenAccounts}`)
    .default({})
    .describe('audience of the tokens of a ServiceAccount, by namespace/name; one that is not here is asked for no token'),
  tokenExpiry: durationBetween(shortestTokenMs, longestTokenMs).default('1h').describe('of such a token'),
})

export type AutoscaleConfig = z.output<typeof autoscaleConfiguration>

export function httpTimeoutMs({ httpTimeout }: AutoscaleConfig): number {
  return durationMs(httpTimeout)
}
