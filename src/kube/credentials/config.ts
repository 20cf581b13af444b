// Finds the cluster to speak to: kubeconfig files or the inside of a pod. Environment and home directory are arguments.
import { resolve } from 'node:path'
import { InputError } from '../problem.ts'
import { type ClusterConfig, impersonation, inputError, textOf } from './cluster-config.ts'
import { fromKubeconfigs, readKubeconfig } from './kubeconfig.ts'

interface ConfigOverrides {
  readonly namespace?: string
  readonly as?: string
  readonly asUid?: string
  readonly asGroups?: readonly string[]
}

export interface LoadConfigOptions {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly homeDirectory: string
  /** `--kubeconfig` */
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
  /** Insist on the service account. */
  readonly inCluster?: boolean
  readonly overrides?: ConfigOverrides
  /** Only tests have it elsewhere. */
  readonly serviceAccountDirectory?: string
}

const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * The configuration by the order of the field: `--kubeconfig`, KUBECONFIG, the service account of a pod, the home file.
 * @throws InputError naming file, key and what is there.
 */
export async function loadConfig(options: LoadConfigOptions): Promise<ClusterConfig> {
  const { environment } = options
  const list = environment['KUBECONFIG']
  const warnings: string[] = []
  if (options.inCluster === true) return overridden(await inClusterConfig(options, warnings), options)
  const isListed = list !== undefined && list !== ''
  if (options.kubeconfig === undefined && !isListed && isInPod(environment)) {
    try {
      return overridden(await inClusterConfig(options, warnings), options)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      // The variables leak into shells of pods: no token, no service account.
      warnings.push(`KUBERNETES_SERVICE_HOST is set, but this is no pod: ${error.message}`)
    }
  }
  const files =
    options.kubeconfig !== undefined
      ? [options.kubeconfig]
      : isListed
        ? separated(list)
        : [resolve(options.homeDirectory, '.kube/config')]
  const isRequired = options.kubeconfig !== undefined
  const read = await Promise.all(files.map(path => readKubeconfig(resolve(path), isRequired)))
  const found = read.filter(file => file !== undefined)
  if (found.length === 0) {
    throw inputError(
      'no-configuration',
      'kubeconfig',
      `none of ${files.join(', ')}`,
      'a kubeconfig file (--kubeconfig, KUBECONFIG or ~/.kube/config) or a pod’s service account',
    )
  }
  return overridden(fromKubeconfigs(found, options.context, warnings), options)
}

function separated(list: string): string[] {
  return list.split(process.platform === 'win32' ? ';' : ':').filter(path => path !== '')
}

function isInPod(environment: LoadConfigOptions['environment']): boolean {
  return (environment['KUBERNETES_SERVICE_HOST'] ?? '') !== '' && (environment['KUBERNETES_SERVICE_PORT'] ?? '') !== ''
}

async function inClusterConfig(options: LoadConfigOptions, warnings: string[]): Promise<ClusterConfig> {
  const { environment } = options
  if (!isInPod(environment)) {
    throw inputError(
      'not-in-cluster',
      'KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT',
      'nothing',
      'the variables that a pod is given',
    )
  }
  const directory = options.serviceAccountDirectory ?? serviceAccountDirectory
  const host = environment['KUBERNETES_SERVICE_HOST'] ?? ''
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? ''
  const tokenPath = resolve(directory, 'token')
  if ((await textOf(tokenPath)) === undefined)
    throw inputError('token-missing', tokenPath, 'nothing', 'the token of a service account')
  const authorityPath = resolve(directory, 'ca.crt')
  const hasAuthority = (await textOf(authorityPath)) !== undefined
  if (!hasAuthority) warnings.push(`${authorityPath} is missing: the system's certificate authorities are used`)
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    tls: {
      authority: hasAuthority ? { kind: 'file', path: authorityPath } : undefined,
      serverName: undefined,
      isInsecure: false,
      clientCertificate: undefined,
      clientKey: undefined,
    },
    auth: { kind: 'tokenFile', path: tokenPath, fallback: undefined },
    impersonate: undefined,
    namespace: ((await textOf(resolve(directory, 'namespace'))) ?? '').trim() || 'default',
    proxyUrl: undefined,
    disableCompression: true,
    source: 'service account of this pod',
    warnings,
  }
}

function overridden(config: ClusterConfig, options: LoadConfigOptions): ClusterConfig {
  const { overrides = {} } = options
  const given = impersonation('--as', { user: overrides.as, uid: overrides.asUid, groups: overrides.asGroups ?? [], extra: {} })
  return { ...config, namespace: overrides.namespace ?? config.namespace, impersonate: given ?? config.impersonate }
}
