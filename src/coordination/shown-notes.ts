// ConfigMaps in which capabilities note what pages show: by their names, so that who shows them may read these alone.

/** What lies on shares of NFS and belongs to nobody, in the namespace of the agents. */
export const nfsInventoryName = 'ballast-nfs-inventory'
