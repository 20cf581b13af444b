// How kubelets are asked: as whom, and whom we believe. Files are read again when they change.
import type { Dial } from '#kube/client/dispatcher.ts'
import type { Clock } from '#kube/clock.ts'
import type { ClusterConfig, Material } from '#kube/credentials/cluster-config.ts'
import { bearerOf, Credentials, type TlsMaterial } from '#kube/credentials/credentials.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { authorityIn } from '#kube/server/serving/followed-texts.ts'
import type { KubeletPins } from '../pins/kubelet-pins.ts'
import { KubeletClient, type KubeletTrust } from './kubelet-client.ts'

interface Around {
  readonly clock: Clock
  readonly log: Log
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly dial?: Dial | undefined
  /** In place of authorities and names. */
  readonly pins?: KubeletPins | undefined
  /** How the settings are called that name files. */
  readonly names: { readonly authority: string; readonly certificate: string; readonly key: string }
}

/** Files are named by their paths; where one is empty the process's own credentials and authority are used. */
export interface KubeletSettings {
  readonly requestTimeoutMs: number
  readonly isInsecure: boolean
  /** HTTP, and no credentials at all. */
  readonly isPlain: boolean
  readonly authorityFile: string
  readonly certificateFile: string
  readonly keyFile: string
  readonly format: 'text' | 'protobuf'
  readonly gzip: boolean
}

/**
 * The client for kubelets: the process's own credentials with what settings say in their place. A token goes nowhere that a certificate of
 * the settings is shown, nor over plain HTTP.
 * @throws InputError where a named file cannot be used
 */
export async function openKubelets(kubelet: KubeletSettings, config: ClusterConfig, around: Around): Promise<KubeletClient> {
  const { clock, log, names } = around
  const common = {
    clock,
    timeoutMs: kubelet.requestTimeoutMs,
    format: kubelet.format,
    gzip: kubelet.gzip,
    dial: around.dial,
    pins: around.pins,
  }
  if (kubelet.isPlain)
    return new KubeletClient({ ...common, trust: { authority: undefined, isInsecure: false }, token: async () => undefined })
  if (kubelet.authorityFile !== '') await authorityIn({ path: kubelet.authorityFile, flag: names.authority })
  const isInsecure = kubelet.isInsecure || (config.tls.isInsecure && kubelet.authorityFile === '')
  if (isInsecure && !kubelet.isInsecure && around.pins === undefined)
    log.warn({ from: config.source }, "kubelets' certificates are not checked: the kubeconfig says so of the cluster")
  const credentials = new Credentials(kubeletConfig(kubelet, config, isInsecure), {
    ...around,
    isTerminal: false,
    // What the process has itself, its own client tells of.
    warnsOfExpiry: kubelet.authorityFile !== '' || kubelet.certificateFile !== '',
  })
  if (kubelet.certificateFile !== '') await readPair(credentials, kubelet, names)
  const trustOf = remembered(
    ({ authority, certificate, key }: TlsMaterial): KubeletTrust => ({ authority, certificate, key, isInsecure }),
  )
  return new KubeletClient({
    ...common,
    trust: async () => trustOf(await credentials.tls()),
    token: async () => (kubelet.certificateFile === '' ? bearerOf(credentials) : undefined),
  })
}

/** @throws InputError naming the settings and their files */
async function readPair(
  credentials: Credentials,
  { certificateFile, keyFile }: KubeletSettings,
  names: Around['names'],
): Promise<void> {
  try {
    await credentials.tls()
  } catch (error) {
    const where = `${names.certificate} ${certificateFile}, ${names.key} ${keyFile}`
    throw new InputError([{ code: 'flag-value', where, found: messageOf(error), expected: 'a certificate and its key' }])
  }
}

function kubeletConfig(kubelet: KubeletSettings, config: ClusterConfig, isInsecure: boolean): ClusterConfig {
  const file = (path: string): Material => ({ kind: 'file', path })
  const { tls } = config
  const isOwn = kubelet.certificateFile !== ''
  return {
    ...config,
    impersonate: undefined,
    tls: {
      authority: isInsecure ? undefined : kubelet.authorityFile === '' ? tls.authority : file(kubelet.authorityFile),
      // The API server's name is none of a kubelet's.
      serverName: undefined,
      isInsecure,
      clientCertificate: isOwn ? file(kubelet.certificateFile) : tls.clientCertificate,
      clientKey: isOwn ? file(kubelet.keyFile) : tls.clientKey,
    },
  }
}

/** The same object for the same one: what is another is new. */
function remembered<From extends object, To>(make: (from: From) => To): (from: From) => To {
  let last: { readonly from: From; readonly to: To } | undefined
  return from => {
    if (last?.from !== from) last = { from, to: make(from) }
    return last.to
  }
}
