// What is posted to the `eviction` sub-resource of a pod.

interface EvictionRequest {
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string }
  /** The server's preferred version of the group: `policy/v1`. */
  readonly apiVersion: string
  /** For admission webhooks: who asks for it and why. */
  readonly annotations: Readonly<Record<string, string>>
  /** Seconds; absent: the pod's own. 0: at once. */
  readonly gracePeriodSeconds?: number
}

/** The eviction of this very pod, and of no other that came to have its name. */
export function evictionRequest({ pod, apiVersion, annotations, gracePeriodSeconds }: EvictionRequest) {
  return {
    apiVersion,
    kind: 'Eviction',
    metadata: { name: pod.name, namespace: pod.namespace, annotations },
    deleteOptions: { ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }), preconditions: { uid: pod.uid } },
  } as const
}
