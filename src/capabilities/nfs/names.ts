// Names that are upstream's contract: the driver, its folders and Leases.

/** The name under which objects are written. */
export const capabilityName = 'nfs'

/** The reason of Events about mounts that lead nowhere any more. */
export const staleReason = 'NfsMountStale'

export const driverName = 'nfs.csi.k8s.io'

/** Where the driver listens, below the kubelet's folder. */
export const pluginFolder = 'plugins/csi-nfsplugin'
/** Where kubelets find plugins by their sockets, below the kubelet's folder. */
export const registryFolder = 'plugins_registry'
/** Where kubelets have volumes mounted for a whole node, below the kubelet's folder. */
export const stagingFolder = 'plugins/kubernetes.io/csi'
export const kubeletDirectory = '/var/lib/kubelet'

/** What a limit of a node's volumes may be. */
export const mostVolumesPerNode = 100_000

/** Where the jobs find the driver, in their own pod. */
export const controllerSocket = '/csi/csi.sock'

/** Where probes ask, on the loopback address of a node; both are upstream's. */
export const healthPorts = { node: 29_653, controller: 29_652 } as const
/** Where Prometheus asks. */
export const metricsPorts = { node: 29_998, controller: 29_994 } as const
