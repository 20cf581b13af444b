// What is known of kubelets and of who may believe them, when doctor has asked: data, of which all judgement is made.
import type { Pins } from '../pins/pin-rules.ts'

/** Why no certificate was seen. */
export type Unreached = 'refused' | 'timeout' | 'no-route' | 'no-name' | 'no-tls' | 'broken' | 'untried'

export interface SeenCertificate {
  /** DNS names and IP addresses that it is for. */
  readonly names: readonly string[]
  readonly subject: string
  /** Who signed it. */
  readonly issuer: string
  /** Milliseconds since 1970. */
  readonly fromMs: number
  readonly untilMs: number
  /** OpenSSL's word where the authority does not stand behind it, such as `DEPTH_ZERO_SELF_SIGNED_CERT`. */
  readonly chain: string | undefined
  /** Its public key, as pins have it. */
  readonly key?: string
  /** Whether it names the address by which it was asked. */
  readonly isNamed: boolean
}

/** What one connection to one address showed. */
export type Contact =
  | { readonly kind: 'certificate'; readonly certificate: SeenCertificate }
  | { readonly kind: 'unreached'; readonly why: Unreached; readonly message: string }

/** What a kubelet whose certificate verified said to `/metrics/resource`. */
export type KubeletAnswer =
  | { readonly kind: 'served'; readonly containers: number }
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string }

/** A node by one type of its addresses. */
export interface Tried {
  readonly node: string
  readonly type: string
  readonly address: string
  readonly port: number
  readonly contact: Contact
  /** Only where the certificate verified. */
  readonly answer?: KubeletAnswer
}

/** What is pinned of kubelets, where no other key is believed. */
export interface PinFacts {
  readonly namespace: string
  /** Undefined where they could not be read. */
  readonly pins: Pins | undefined
  readonly uids: ReadonlyMap<string, string>
}

/** A CertificateSigningRequest of `kubernetes.io/kubelet-serving` that nobody has decided. */
export interface PendingRequest {
  readonly name: string
  /** The node in whose name it was made; undefined where no kubelet of a known node made it. */
  readonly node: string | undefined
  readonly by: string
  readonly sinceMs: number
}

/** Who answers metrics.k8s.io. */
export interface ServedBy {
  /** `kube-system/metrics-server`; undefined where the API server answers by itself. */
  readonly service: string | undefined
  /** `undefined`: its state was not said. */
  readonly isAvailable: boolean | undefined
  readonly message: string
  /** Until when ours answers by the rules of whoever was there before. */
  readonly strictUntilMs?: number | undefined
}

export interface KubeletFacts {
  readonly nowMs: number
  /** Nodes without any address are there with none tried. */
  readonly nodes: readonly string[]
  readonly tried: readonly Tried[]
  readonly pending: readonly PendingRequest[]
  /** False: they may not be read, so that who waits is not known. */
  readonly isPendingRead?: boolean
  readonly servedBy: ServedBy | undefined
  /** Absent where certificates are judged by an authority. */
  readonly pinning?: PinFacts | undefined
  /** Types in the order in which the scraper prefers them. */
  readonly order: readonly string[]
  /** By whom the order is set. */
  readonly orderFrom: 'configuration' | 'defaults'
  /** As whom kubelets were asked. */
  readonly notes: readonly string[]
}
