// kubeconfig files: read, merged and checked. What is wrong is said with file, key and what is there.
import { dirname, resolve } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import {
  type AuthConfig,
  type ClusterConfig,
  type ExecConfig,
  type Impersonation,
  impersonation,
  inputError,
  type Material,
  textOf,
} from './cluster-config.ts'

/** A map of the file's YAML, with where it is. */
interface Entry {
  readonly fields: Readonly<Record<string, unknown>>
  readonly where: string
  readonly directory: string
}

interface Kubeconfig {
  readonly path: string
  readonly currentContext: string
  readonly clusters: ReadonlyMap<string, Entry>
  readonly users: ReadonlyMap<string, Entry>
  readonly contexts: ReadonlyMap<string, Entry>
}

/** A file's entries; `undefined` when it is not there and need not be. @throws InputError */
export async function readKubeconfig(path: string, isRequired: boolean): Promise<Kubeconfig | undefined> {
  const text = await textOf(path)
  if (text === undefined) {
    if (isRequired) throw inputError('file-missing', path, 'nothing', 'a kubeconfig file')
    return undefined
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [fault] = document.errors
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0])
    throw inputError('yaml-syntax', `${path}:${line}:${col}`, fault.message, 'YAML')
  }
  const root: unknown = document.toJS({ maxAliasCount: 100 })
  if (!isRecord(root))
    throw inputError('kubeconfig-shape', path, typeof root, 'a kubeconfig (a map with clusters, users and contexts)')
  return {
    path,
    currentContext: textIn(root['current-context']) ?? '',
    clusters: namedEntries(root, 'clusters', 'cluster', path),
    users: namedEntries(root, 'users', 'user', path),
    contexts: namedEntries(root, 'contexts', 'context', path),
  }
}

function namedEntries(root: Record<string, unknown>, list: string, key: string, path: string): ReadonlyMap<string, Entry> {
  const items = root[list]
  const entries = new Map<string, Entry>()
  if (items === undefined || items === null) return entries
  if (!Array.isArray(items)) throw inputError('kubeconfig-shape', `${path}: ${list}`, typeof items, 'a list')
  for (const [index, item] of items.entries()) {
    const where = `${path}: ${list}[${index}]`
    const name = isRecord(item) ? textIn(item['name']) : undefined
    if (!isRecord(item) || name === undefined)
      throw inputError('kubeconfig-shape', where, JSON.stringify(item ?? null), `a map with name and ${key}`)
    const fields = item[key] ?? {}
    if (!isRecord(fields)) throw inputError('kubeconfig-shape', `${where}.${key}`, typeof fields, 'a map')
    if (!entries.has(name)) entries.set(name, { fields, where: `${where}.${key}`, directory: dirname(path) })
  }
  return entries
}

const missingCodes = { clusters: 'cluster-missing', users: 'user-missing', contexts: 'context-missing' } as const

/** The first file that has an entry of a name, or a current context, wins. @throws InputError */
export function fromKubeconfigs(files: readonly Kubeconfig[], context: string | undefined, warnings: string[]): ClusterConfig {
  const paths = files.map(file => file.path).join(', ')
  const contextName = context ?? files.map(file => file.currentContext).find(name => name !== '') ?? ''
  if (contextName === '') {
    throw inputError('context-missing', `${paths}: current-context`, 'nothing', `a context: ${names(files, 'contexts')}`)
  }
  const find = (list: 'clusters' | 'users' | 'contexts', name: string, where: string): Entry => {
    const entry = files.map(file => file[list].get(name)).find(found => found !== undefined)
    if (entry !== undefined) return entry
    throw inputError(missingCodes[list], where, name, `one of the ${list}: ${names(files, list)}`)
  }
  const chosen = find('contexts', contextName, `${paths}: ${context === undefined ? 'current-context' : '--context'}`)
  const clusterName = textIn(chosen.fields['cluster']) ?? ''
  const cluster = find('clusters', clusterName, `${chosen.where}.cluster`)
  const userName = textIn(chosen.fields['user']) ?? ''
  const user: Entry =
    userName === ''
      ? { fields: {}, where: chosen.where, directory: chosen.directory }
      : find('users', userName, `${chosen.where}.user`)
  return {
    ...clusterPart(cluster),
    ...userPart(user, cluster),
    namespace: textIn(chosen.fields['namespace']) ?? 'default',
    source: `${paths}: context ${JSON.stringify(contextName)}`,
    warnings,
    tls: { ...clusterTls(cluster), ...clientCertificate(user) },
  }
}

function names(files: readonly Kubeconfig[], list: 'clusters' | 'users' | 'contexts'): string {
  const all = [...new Set(files.flatMap(file => [...file[list].keys()]))].sort()
  return all.length === 0 ? 'there are none' : all.join(', ')
}

function clusterPart(cluster: Entry): Pick<ClusterConfig, 'server' | 'proxyUrl' | 'disableCompression'> {
  const server = textIn(cluster.fields['server']) ?? ''
  const url = URL.parse(server)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw inputError('server-address', `${cluster.where}.server`, server, 'an address such as https://10.0.0.1:6443')
  }
  const proxyUrl = textIn(cluster.fields['proxy-url'])
  const proxy = proxyUrl === undefined ? undefined : URL.parse(proxyUrl)
  if (proxy === null || (proxy !== undefined && !['http:', 'https:', 'socks5:'].includes(proxy.protocol))) {
    throw inputError(
      'proxy-address',
      `${cluster.where}.proxy-url`,
      redacted(proxyUrl ?? ''),
      'an http://, https:// or socks5:// address',
    )
  }
  return { server: server.replace(/\/+$/, ''), proxyUrl, disableCompression: cluster.fields['disable-compression'] === true }
}

function redacted(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//…@')
}

function clusterTls(cluster: Entry): Pick<ClusterConfig['tls'], 'authority' | 'serverName' | 'isInsecure'> {
  const authority = material(cluster, 'certificate-authority')
  const isInsecure = cluster.fields['insecure-skip-tls-verify'] === true
  if (isInsecure && authority !== undefined) {
    throw inputError(
      'tls-contradiction',
      `${cluster.where}.insecure-skip-tls-verify`,
      'true beside a certificate authority',
      'one of the two',
    )
  }
  return { authority, serverName: textIn(cluster.fields['tls-server-name']), isInsecure }
}

function clientCertificate(user: Entry): Pick<ClusterConfig['tls'], 'clientCertificate' | 'clientKey'> {
  const certificate = material(user, 'client-certificate')
  const key = material(user, 'client-key')
  if ((certificate === undefined) !== (key === undefined)) {
    const [missing, present] =
      certificate === undefined ? ['client-certificate', 'client-key'] : ['client-key', 'client-certificate']
    throw inputError('certificate-half', `${user.where}.${missing}`, `nothing beside ${present}`, 'both or neither')
  }
  return { clientCertificate: certificate, clientKey: key }
}

/** `KEY-data` wins over `KEY`; files are relative to the file that names them. */
function material(entry: Entry, key: string): Material | undefined {
  const data = textIn(entry.fields[`${key}-data`])
  if (data !== undefined) {
    const bytes = Buffer.from(data, 'base64')
    const isPem = bytes.includes('-----BEGIN ')
    if (!isPem) throw inputError('certificate-data', `${entry.where}.${key}-data`, data.slice(0, 40), 'PEM in base64')
    return { kind: 'data', data: bytes }
  }
  const path = textIn(entry.fields[key])
  return path === undefined ? undefined : { kind: 'file', path: resolve(entry.directory, path) }
}

const successors: Readonly<Record<string, string>> = {
  gcp: 'gke-gcloud-auth-plugin',
  azure: 'kubelogin',
  oidc: 'an OIDC exec plugin',
}

function userPart(user: Entry, cluster: Entry): Pick<ClusterConfig, 'auth' | 'impersonate'> {
  const provider = user.fields['auth-provider']
  if (isRecord(provider)) {
    const name = textIn(provider['name']) ?? ''
    throw inputError(
      'auth-provider',
      `${user.where}.auth-provider`,
      name,
      `an exec entry: the provider was replaced by ${successors[name] ?? 'an exec plugin'}`,
    )
  }
  return { auth: authOf(user, cluster), impersonate: impersonationOf(user) }
}

function authOf(user: Entry, cluster: Entry): AuthConfig {
  const token = textIn(user.fields['token'])
  const tokenFile = textIn(user.fields['tokenFile'])
  const username = textIn(user.fields['username'])
  if (username !== undefined && (token !== undefined || tokenFile !== undefined)) {
    throw inputError('auth-several', user.where, 'more than one authentication method found', 'a token or a user name')
  }
  if (tokenFile !== undefined) return { kind: 'tokenFile', path: resolve(user.directory, tokenFile), fallback: token }
  if (token !== undefined) return { kind: 'token', token }
  if (username !== undefined) return { kind: 'basic', username, password: textIn(user.fields['password']) ?? '' }
  const exec = user.fields['exec']
  const hasCertificate = user.fields['client-certificate'] !== undefined || user.fields['client-certificate-data'] !== undefined
  if (exec === undefined || exec === null || hasCertificate) return { kind: 'none' }
  return { kind: 'exec', exec: execOf(exec, user, cluster) }
}

const execVersions = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'] as const
const interactiveModes = ['Never', 'IfAvailable', 'Always'] as const
const execExtension = 'client.authentication.k8s.io/exec'

function execOf(exec: unknown, user: Entry, cluster: Entry): ExecConfig {
  const where = `${user.where}.exec`
  if (!isRecord(exec)) throw inputError('exec-shape', where, typeof exec, 'a map')
  const command = textIn(exec['command'])
  if (command === undefined) throw inputError('exec-command', `${where}.command`, 'nothing', 'a command')
  const apiVersion = execVersions.find(version => version === exec['apiVersion'])
  if (apiVersion === undefined)
    throw inputError('exec-version', `${where}.apiVersion`, String(exec['apiVersion'] ?? ''), execVersions.join(' or '))
  const mode = exec['interactiveMode'] ?? (apiVersion === execVersions[1] ? 'IfAvailable' : undefined)
  const interactiveMode = interactiveModes.find(known => known === mode)
  if (interactiveMode === undefined)
    throw inputError('exec-mode', `${where}.interactiveMode`, String(mode ?? ''), interactiveModes.join(', '))
  const args = Array.isArray(exec['args']) ? exec['args'].map(String) : []
  const env = Array.isArray(exec['env'])
    ? exec['env'].filter(isRecord).map(one => ({ name: String(one['name'] ?? ''), value: String(one['value'] ?? '') }))
    : []
  return {
    command: command.includes('/') ? resolve(user.directory, command) : command,
    args,
    env,
    apiVersion,
    interactiveMode,
    provideClusterInfo: exec['provideClusterInfo'] === true,
    installHint: textIn(exec['installHint']),
    clusterConfig: extensionOf(cluster),
    directory: user.directory,
  }
}

function extensionOf(cluster: Entry): unknown {
  const extensions = cluster.fields['extensions']
  if (!Array.isArray(extensions)) return undefined
  return extensions.filter(isRecord).find(one => one['name'] === execExtension)?.['extension']
}

function impersonationOf(user: Entry): Impersonation | undefined {
  const extra = user.fields['as-user-extra']
  return impersonation(user.where, {
    user: textIn(user.fields['as']),
    uid: textIn(user.fields['as-uid']),
    groups: Array.isArray(user.fields['as-groups']) ? user.fields['as-groups'].map(String) : [],
    extra: isRecord(extra)
      ? Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, Array.isArray(values) ? values.map(String) : []]))
      : {},
  })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
