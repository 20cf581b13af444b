// TriggerAuthentication and its cluster-wide form as KEDA serves them: where a trigger's credentials come from.
import { z } from 'zod'
import type { KubeObject } from '#kube/objects/objects.ts'
import { crd } from '#kube/schema/crd.ts'
import { kedaGroup, kedaVersion } from '../names.ts'

const fromSecret = z.object({ valueFrom: z.object({ secretKeyRef: z.object({ name: z.string(), key: z.string() }) }) })

const podIdentity = z.object({
  provider: z.enum(['azure-workload', 'gcp', 'aws', 'aws-eks', 'none']),
  identityId: z.string().optional(),
  identityTenantId: z.string().optional(),
  identityAuthorityHost: z.string().optional(),
  roleArn: z.string().optional(),
  externalID: z.string().optional(),
  identityOwner: z.enum(['keda', 'workload']).optional(),
})

const keyRefs = z.array(z.object({ parameter: z.string(), name: z.string(), key: z.string() })).optional()

const vault = z.object({
  address: z.string(),
  namespace: z.string().optional(),
  authentication: z.enum(['token', 'kubernetes']),
  role: z.string().optional(),
  mount: z.string().optional(),
  credential: z
    .object({
      token: z.string().optional(),
      serviceAccount: z.string().optional(),
      serviceAccountName: z.string().optional(),
    })
    .optional(),
  secrets: z
    .array(
      z.object({
        parameter: z.string(),
        path: z.string(),
        key: z.string(),
        type: z.enum(['', 'secretV2', 'secret', 'pki']).optional(),
        pkiData: z
          .object({
            commonName: z.string().optional(),
            altNames: z.string().optional(),
            ipSans: z.string().optional(),
            uriSans: z.string().optional(),
            otherSans: z.string().optional(),
            ttl: z.string().optional(),
            format: z.string().optional(),
          })
          .optional(),
      }),
    )
    .min(1),
})

/** Stores of clouds that we do not read: their fields are kept, so that objects stay whole. */
const azureKeyVault = z.object({
  vaultUri: z.string(),
  secrets: z.array(z.object({ parameter: z.string(), name: z.string(), version: z.string().optional() })).min(1),
  credentials: z.object({ clientId: z.string(), tenantId: z.string(), clientSecret: fromSecret }).optional(),
  podIdentity: podIdentity.optional(),
  cloud: z
    .object({
      type: z.string(),
      keyVaultResourceURL: z.string().optional(),
      activeDirectoryEndpoint: z.string().optional(),
    })
    .optional(),
})

const gcpSecretManager = z.object({
  secrets: z.array(z.object({ parameter: z.string(), id: z.string(), version: z.string().optional() })).min(1),
  credentials: z.object({ clientSecret: fromSecret }).optional(),
  podIdentity: podIdentity.optional(),
})

const awsSecretManager = z.object({
  credentials: z.object({ accessKey: fromSecret, accessSecretKey: fromSecret, accessToken: fromSecret.optional() }).optional(),
  podIdentity: podIdentity.optional(),
  region: z.string().optional(),
  secrets: z
    .array(
      z.object({
        parameter: z.string(),
        name: z.string(),
        versionId: z.string().optional(),
        versionStage: z.string().optional(),
        secretKey: z.string().optional(),
      }),
    )
    .min(1),
})

const azureServicePrincipal = z.object({
  clientId: z.string(),
  tenantId: z.string(),
  cloud: z.string().optional(),
  activeDirectoryEndpoint: z.string().optional(),
  clientSecret: fromSecret.optional(),
  clientCertificate: fromSecret.optional(),
  clientCertificatePassword: fromSecret.optional(),
})

const spec = z.object({
  podIdentity: podIdentity.optional(),
  secretTargetRef: keyRefs,
  configMapTargetRef: keyRefs,
  env: z.array(z.object({ parameter: z.string(), name: z.string(), containerName: z.string().optional() })).optional(),
  filePath: z
    .string()
    .optional()
    .describe('ClusterTriggerAuthentication only: a JSON file below the folder that the operator was given'),
  hashiCorpVault: vault.optional(),
  azureKeyVault: azureKeyVault.optional(),
  gcpSecretManager: gcpSecretManager.optional(),
  awsSecretManager: awsSecretManager.optional(),
  azureServicePrincipal: azureServicePrincipal.optional(),
  boundServiceAccountToken: z.array(z.object({ parameter: z.string(), serviceAccountName: z.string() })).optional(),
  oauth2: z
    .object({
      type: z.enum(['clientCredentials']).default('clientCredentials'),
      clientId: z.string(),
      clientSecret: fromSecret.optional(),
      tokenUrl: z.string(),
      scopes: z.array(z.string()).optional(),
      tokenUrlParams: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
})

const status = z.object({ scaledobjects: z.string().optional(), scaledjobs: z.string().optional() })

export type TriggerAuthenticationSpec = z.output<typeof spec>

export interface TriggerAuthentication extends KubeObject {
  readonly spec: TriggerAuthenticationSpec
  readonly status?: z.output<typeof status>
}

export const triggerAuthenticationSpec = spec

const columns = [
  { name: 'PodIdentity', type: 'string', jsonPath: '.spec.podIdentity.provider' },
  { name: 'Secret', type: 'string', jsonPath: '.spec.secretTargetRef[*].name' },
  { name: 'Env', type: 'string', jsonPath: '.spec.env[*].name' },
  { name: 'VaultAddress', type: 'string', jsonPath: '.spec.hashiCorpVault.address' },
  { name: 'ScaledObjects', type: 'string', jsonPath: '.status.scaledobjects', priority: 1 },
  { name: 'ScaledJobs', type: 'string', jsonPath: '.status.scaledjobs', priority: 1 },
] as const

const filePath = { name: 'FilePath', type: 'string', jsonPath: '.spec.filePath' } as const
const version = { name: kedaVersion, spec, status, readyColumn: false, ageColumn: false, printerColumns: columns } as const
const clusterVersion = { ...version, printerColumns: [...columns.slice(0, 3), filePath, ...columns.slice(3)] } as const

export const triggerAuthenticationDefinition = crd({
  group: kedaGroup,
  kind: 'TriggerAuthentication',
  scope: 'Namespaced',
  isBounded: false,
  shortNames: ['ta', 'triggerauth'],
  versions: [version],
})

export const clusterTriggerAuthenticationDefinition = crd({
  group: kedaGroup,
  kind: 'ClusterTriggerAuthentication',
  scope: 'Cluster',
  isBounded: false,
  shortNames: ['cta', 'clustertriggerauth'],
  versions: [clusterVersion],
})
