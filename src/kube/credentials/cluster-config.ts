// Which cluster, as whom: what `config.ts` finds and the transport uses.
import { readFile } from 'node:fs/promises'
import { InputError } from '../problem.ts'

/** Material that is either at hand or in a file that may change. */
export type Material = { readonly kind: 'data'; readonly data: Uint8Array } | { readonly kind: 'file'; readonly path: string }

export interface ExecConfig {
  readonly command: string
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly apiVersion: 'client.authentication.k8s.io/v1' | 'client.authentication.k8s.io/v1beta1'
  readonly interactiveMode: 'Never' | 'IfAvailable' | 'Always'
  readonly provideClusterInfo: boolean
  readonly installHint: string | undefined
  /** Told to the plugin with `provideClusterInfo`: the cluster's extension of the plugin. */
  readonly clusterConfig: unknown
  /** Where relative commands start from. */
  readonly directory: string
}

export type AuthConfig =
  | { readonly kind: 'none' }
  | { readonly kind: 'token'; readonly token: string }
  /** `fallback` is used while the file cannot be read. */
  | { readonly kind: 'tokenFile'; readonly path: string; readonly fallback: string | undefined }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'exec'; readonly exec: ExecConfig }

export interface Impersonation {
  readonly user: string
  readonly uid: string | undefined
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
}

export interface ClusterConfig {
  /** `https://10.0.0.1:6443`, without a slash at the end. */
  readonly server: string
  readonly tls: {
    readonly authority: Material | undefined
    readonly serverName: string | undefined
    readonly isInsecure: boolean
    readonly clientCertificate: Material | undefined
    readonly clientKey: Material | undefined
  }
  readonly auth: AuthConfig
  readonly impersonate: Impersonation | undefined
  /** Namespace of the context, or of the pod; `default` when none says. */
  readonly namespace: string
  /** Proxy of the kubeconfig's cluster. */
  readonly proxyUrl: string | undefined
  readonly disableCompression: boolean
  /** Where it came from, for messages: `/home/jane/.kube/config: context "home"`. */
  readonly source: string
  /** What is odd but does not stop. */
  readonly warnings: readonly string[]
}

/** A server that is asked by whoever bears `token`, and believed by `authority`, in PEM form. */
export function tokenConfig(of: {
  readonly server: string
  readonly token: string
  readonly authority: string
  readonly isInsecure?: boolean
  readonly source: string
}): ClusterConfig {
  const { server, token, authority, isInsecure = false, source } = of
  return {
    server,
    tls: {
      authority: { kind: 'data', data: Buffer.from(authority) },
      serverName: undefined,
      isInsecure,
      clientCertificate: undefined,
      clientKey: undefined,
    },
    auth: { kind: 'token', token },
    impersonate: undefined,
    namespace: 'default',
    proxyUrl: undefined,
    disableCompression: true,
    source,
    warnings: [],
  }
}

/** A file's text; `undefined` when there is none. @throws InputError when it cannot be read. */
export async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw inputError('file-unreadable', path, error instanceof Error ? error.message : String(error), 'a file that can be read')
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}

/** An InputError of one problem. */
export function inputError(code: string, where: string, found: string, expected: string): InputError {
  return new InputError([{ code, where, found, expected }])
}

/** @throws InputError for groups, uid or extra without a user. */
export function impersonation(
  where: string,
  parts: Omit<Impersonation, 'user'> & { readonly user: string | undefined },
): Impersonation | undefined {
  const { user, uid, groups, extra } = parts
  if (user !== undefined) return { user, uid, groups, extra }
  if (uid === undefined && groups.length === 0 && Object.keys(extra).length === 0) return undefined
  throw inputError('impersonation-user', `${where}.as`, 'nothing beside a uid, groups or extra', 'a user')
}
