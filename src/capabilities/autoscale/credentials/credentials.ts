// What a trigger refers to, resolved: variables of its target's container, and what its authentication gives.
import type { Api } from '#kube/client/api.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { durationMs } from '#kube/time/duration.ts'
import type { AutoscaleConfig } from '../config.ts'
import type { TriggerAuthentication, TriggerAuthenticationSpec } from '../kinds/trigger-authentication.ts'
import type { Trigger } from '../kinds/triggers.ts'
import type { Outgoing } from '../scalers/outgoing.ts'
import { type GivenParameters, TriggerProblem } from '../triggers/parameters.ts'
import { authFile } from './auth-file.ts'
import type { ClusterData } from './cluster-data.ts'
import { containerEnv } from './container-env.ts'
import { vaultSecrets } from './vault.ts'

interface CredentialSettings {
  readonly api: Api
  readonly log: Log
  readonly config: AutoscaleConfig
  /** Where a ClusterTriggerAuthentication finds its Secrets unless the configuration says otherwise. */
  readonly ownNamespace: string
  readonly data: Pick<ClusterData, 'data' | 'readsSecretsOf'>
  readonly outgoing: Outgoing
  readonly authentications: Authentications
  readonly clusterAuthentications: Authentications
}

interface Authentications {
  readonly store: Pick<Informer<TriggerAuthentication>['store'], 'get'>
}

interface AskedTrigger {
  readonly trigger: Trigger
  readonly namespace: string
  /** The pod template of the target; undefined: it has none. */
  readonly template: unknown
  /** Whose variables are meant; undefined: the first container's. */
  readonly container: string | undefined
}

/** Reads anew each time, so that a rotated Secret is taken at the next opening. @throws TriggerProblem, StatusError */
export function credentialsOf(
  settings: CredentialSettings,
): (asked: AskedTrigger, signal: AbortSignal) => Promise<GivenParameters> {
  return async (asked, signal) => {
    const { metadata } = asked.trigger
    const place = { data: settings.data, namespace: asked.namespace, signal }
    // Nobody's Secrets are read for variables that no trigger names.
    const namesVariables = Object.keys(metadata).some(key => key.endsWith('FromEnv'))
    const env = namesVariables ? await containerEnv(asked.template, asked.container, place) : {}
    return { metadata, env, auth: await authentication(settings, asked, signal) }
  }
}

async function authentication(
  settings: CredentialSettings,
  asked: AskedTrigger,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const { authenticationRef } = asked.trigger
  if (authenticationRef === undefined || authenticationRef.name === '') return {}
  const { kind = 'TriggerAuthentication', name } = authenticationRef
  const isOfCluster = kind === 'ClusterTriggerAuthentication'
  const { authentications, clusterAuthentications, config, ownNamespace, log } = settings
  const found = isOfCluster ? clusterAuthentications.store.get(undefined, name) : authentications.store.get(asked.namespace, name)
  if (found === undefined) {
    // As upstream: the scaler then says what it lacks.
    log.warn({ namespace: asked.namespace, kind, name }, 'a trigger names an authentication that is not there')
    return {}
  }
  const clusterNamespace = config.clusterObjectNamespace === '' ? ownNamespace : config.clusterObjectNamespace
  const resolving = new Resolving(settings, asked, {
    ...{ kind, name, signal, isOfCluster, secretsIn: isOfCluster ? clusterNamespace : asked.namespace },
  })
  return await resolving.parameters(found.spec)
}

interface Meant {
  readonly kind: string
  readonly name: string
  readonly isOfCluster: boolean
  /** Where its Secrets and ConfigMaps are. */
  readonly secretsIn: string
  readonly signal: AbortSignal
}

/** Fields of stores that nobody reads here: what they would give is missing, so that the trigger cannot be used. */
const unreadStores = {
  azureKeyVault: 'Azure Key Vault',
  gcpSecretManager: 'GCP Secret Manager',
  awsSecretManager: 'AWS Secrets Manager',
  azureServicePrincipal: "Azure's service principals",
} as const

class Resolving {
  readonly #settings: CredentialSettings
  readonly #asked: AskedTrigger
  readonly #meant: Meant
  readonly #found = new Map<string, string>()

  constructor(settings: CredentialSettings, asked: AskedTrigger, meant: Meant) {
    this.#settings = settings
    this.#asked = asked
    this.#meant = meant
  }

  /** Each source overrides what those before it gave. */
  async parameters(spec: TriggerAuthenticationSpec): Promise<Readonly<Record<string, string>>> {
    const { kind, name, isOfCluster } = this.#meant
    const identity = spec.podIdentity?.provider ?? 'none'
    if (identity !== 'none') throw new TriggerProblem(`${kind} ${name}: the pod identity ${identity} is not in Ballast yet`)
    for (const [field, store] of Object.entries(unreadStores))
      if (Object.hasOwn(spec, field) && spec[field as keyof typeof unreadStores] !== undefined)
        throw new TriggerProblem(`${kind} ${name}: ${store} (${field}) is not read by Ballast yet`)
    if (spec.filePath !== undefined && spec.filePath !== '') {
      if (!isOfCluster) throw new TriggerProblem(`filePath is only supported for ClusterTriggerAuthentication, got kind: ${kind}`)
      return await authFile(this.#settings.config.filePathRoot, spec.filePath)
    }
    await this.#variables(spec.env ?? [])
    for (const ref of spec.configMapTargetRef ?? []) await this.#key('ConfigMap', ref)
    for (const ref of spec.secretTargetRef ?? []) await this.#key('Secret', ref)
    if (spec.hashiCorpVault !== undefined) await this.#vault(spec.hashiCorpVault)
    for (const { parameter, serviceAccountName } of spec.boundServiceAccountToken ?? [])
      this.#found.set(parameter, await this.#token(this.#meant.secretsIn, serviceAccountName, this.#meant.signal))
    if (spec.oauth2 !== undefined) await this.#oauth(spec.oauth2)
    return Object.fromEntries(this.#found)
  }

  async #variables(refs: NonNullable<TriggerAuthenticationSpec['env']>): Promise<void> {
    const { template, namespace } = this.#asked
    for (const { parameter, name, containerName } of refs) {
      try {
        const place = { data: this.#settings.data, namespace, signal: this.#meant.signal }
        const env = await containerEnv(template, containerName, place)
        this.#found.set(parameter, (Object.hasOwn(env, name) ? env[name] : undefined) ?? '')
      } catch (error) {
        this.#missing(parameter, `the variable ${name}`, error)
      }
    }
  }

  async #key(
    kind: 'ConfigMap' | 'Secret',
    { parameter, name, key }: { readonly parameter: string; readonly name: string; readonly key: string },
  ): Promise<void> {
    const { secretsIn, signal } = this.#meant
    try {
      const data = await this.#settings.data.data(kind, secretsIn, name, signal)
      this.#found.set(parameter, (Object.hasOwn(data, key) ? data[key] : undefined) ?? '')
    } catch (error) {
      this.#missing(parameter, `${kind} ${secretsIn}/${name}`, error)
    }
  }

  /** As upstream: an empty parameter, so that the scaler says what it lacks. */
  #missing(parameter: string, what: string, error: unknown): void {
    const { kind, name, signal } = this.#meant
    signal.throwIfAborted()
    this.#found.set(parameter, '')
    const { namespace } = this.#asked
    this.#settings.log.warn({ namespace, kind, name, parameter, what, why: messageOf(error) }, 'an authentication lacks a value')
  }

  async #vault(spec: NonNullable<TriggerAuthenticationSpec['hashiCorpVault']>): Promise<void> {
    const { outgoing } = this.#settings
    const serviceAccountToken = (name: string, signal: AbortSignal) => this.#token(this.#asked.namespace, name, signal)
    const found = await vaultSecrets(spec, { outgoing, serviceAccountToken, signal: this.#meant.signal })
    for (const [parameter, value] of found) this.#found.set(parameter, value)
  }

  /** Only of ServiceAccounts that the configuration gives an audience: a token without one would be good at the API server. */
  async #token(namespace: string, account: string, signal: AbortSignal): Promise<string> {
    const { api, config } = this.#settings
    const key = `${namespace}/${account}`
    const audience = Object.hasOwn(config.tokenAudiences, key) ? config.tokenAudiences[key] : undefined
    if (audience === undefined)
      throw new TriggerProblem(`no audience is configured for tokens of ${key} (capabilities.autoscale.tokenAudiences)`)
    const spec = { audiences: [audience], expirationSeconds: durationMs(config.tokenExpiry) / 1_000 }
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec }
    const answer = await api
      .resource<KubeObject>(builtIn.serviceaccounts)
      .sub(account, 'token', 'POST', body, { namespace, signal })
    const token = textAt(answer, 'status', 'token')
    if (token === undefined || token === '') throw new TriggerProblem(`token request for ${key} returned an empty token`)
    return token
  }

  async #oauth(spec: NonNullable<TriggerAuthenticationSpec['oauth2']>): Promise<void> {
    const { clientId, tokenUrl, scopes = [], tokenUrlParams = {}, clientSecret } = spec
    this.#found.set('oauthTokenURI', tokenUrl)
    this.#found.set('clientID', clientId)
    const ref = clientSecret?.valueFrom.secretKeyRef
    if (ref !== undefined) await this.#key('Secret', { parameter: 'clientSecret', ...ref })
    if (scopes.length > 0) this.#found.set('scopes', scopes.join(','))
    if (Object.keys(tokenUrlParams).length > 0) this.#found.set('endpointParams', new URLSearchParams(tokenUrlParams).toString())
  }
}
