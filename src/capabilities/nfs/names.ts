// Names that are upstream's contract: the driver, its folders and Leases.

/** The name under which objects are written. */
export const capabilityName = 'nfs'

export const driverName = 'nfs.csi.k8s.io'

/** Where the driver listens, below the kubelet's folder. */
export const pluginFolder = 'plugins/csi-nfsplugin'
/** Where kubelets find plugins by their sockets, below the kubelet's folder. */
export const registryFolder = 'plugins_registry'
export const kubeletDirectory = '/var/lib/kubelet'
