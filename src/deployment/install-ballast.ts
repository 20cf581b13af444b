// What an administrator does once so that Ballast can run in a cluster: kinds, namespace, ServiceAccount, roles. Ballast itself then
// acts with that ServiceAccount's token and nothing more.
import type { Capability } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource, parseApiVersion } from '#kube/objects/resource.ts'
import { controllerAccount } from '#process/own-names.ts'
import { installationValues, plainRelease } from './installation.ts'
import { objects } from './objects.ts'

const fieldManager = 'ballast-install'

const resourceOfKind: Readonly<Record<string, GroupVersionResource>> = {
  CustomResourceDefinition: builtIn.customresourcedefinitions,
  Namespace: builtIn.namespaces,
  ServiceAccount: builtIn.serviceaccounts,
  ClusterRole: builtIn.clusterroles,
  ClusterRoleBinding: builtIn.clusterrolebindings,
  Role: builtIn.roles,
  RoleBinding: builtIn.rolebindings,
}
const apiServices = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' }

function resourceOf(object: KubeObject): GroupVersionResource {
  const resource = resourceOfKind[object.kind]
  if (resource === undefined || resource.group !== parseApiVersion(object.apiVersion).group)
    throw new Error(`install: no resource for ${object.apiVersion} ${object.kind}`)
  return resource
}

/** Kinds, namespace, account and rights: what a controller needs that somebody else runs. */
const needed: ReadonlySet<string> = new Set(Object.keys(resourceOfKind))

/**
 * The objects of an installation in which each of `capabilities` is enabled, in the order in which they are applied. `configurations` are
 * their sections, by name: rights follow from them.
 */
export function installationObjects(
  capabilities: readonly Capability[],
  namespace: string,
  configurations?: Readonly<Record<string, unknown>>,
): readonly KubeObject[] {
  return wholeInstallation({ capabilities, namespace, configurations }).filter(({ kind }) => needed.has(kind))
}

function wholeInstallation({ capabilities, namespace, configurations = {} }: Installed): readonly KubeObject[] {
  // Policies are not installed here, and so neither is a right that one would narrow.
  const preset = { namespace: { create: true }, agent: { ownNodeOnly: false }, capabilities: configurations }
  const asked = { preset, enable: capabilities.map(({ name }) => name) }
  return objects(installationValues(asked, capabilities), {
    capabilities,
    release: plainRelease('ballast', namespace),
  })
}

interface Installed {
  readonly capabilities: readonly Capability[]
  readonly configurations?: Readonly<Record<string, unknown>> | undefined
  readonly namespace: string
}

/** Applies them as the administrator; run again it changes nothing. */
export async function installBallast(admin: Api, options: Installed & { readonly signal: AbortSignal }): Promise<void> {
  const { signal } = options
  for (const object of installationObjects(options.capabilities, options.namespace, options.configurations)) {
    const { namespace } = object.metadata
    await admin
      .resource(resourceOf(object))
      .apply(object, { fieldManager, force: true, signal, ...(namespace === undefined ? {} : { namespace }) })
  }
}

/** Applies APIServices and the Service `service` that they lead to, in a twin: what listens for it is at `endpoint`, an URL. */
export async function installServices(
  admin: Api,
  options: Installed & { readonly service: string; readonly endpoint: string; readonly signal: AbortSignal },
): Promise<void> {
  const { service, endpoint, signal } = options
  for (const object of wholeInstallation(options)) {
    const { name, namespace } = object.metadata
    if (object.kind === 'APIService') await admin.resource(apiServices).apply(object, { fieldManager, force: true, signal })
    if (object.kind !== 'Service' || name !== service || namespace === undefined) continue
    const annotations = { ...object.metadata.annotations, 'ballast.dev/twin-endpoint': endpoint }
    const led = { ...object, metadata: { ...object.metadata, annotations } }
    await admin.resource(builtIn.services).apply(led, { fieldManager, force: true, signal, namespace })
  }
}

/** A token of the ServiceAccount `account`, for `seconds` of the cluster's time. */
export async function accountToken(
  admin: Api,
  account: string,
  options: { readonly namespace: string; readonly seconds: number; readonly signal: AbortSignal },
): Promise<string> {
  const { namespace, signal } = options
  const body = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: {},
    spec: { expirationSeconds: options.seconds },
  }
  const answer = await admin
    .resource(builtIn.serviceaccounts)
    .sub<{ readonly status?: { readonly token?: string } }>(account, 'token', 'POST', body, { namespace, signal })
  const token = answer.status?.token
  if (token === undefined) throw new Error(`the API server answered a TokenRequest for ${namespace}/${account} without a token`)
  return token
}

/** The controller's. */
export function controllerToken(admin: Api, options: Parameters<typeof accountToken>[2]): Promise<string> {
  return accountToken(admin, controllerAccount, options)
}
