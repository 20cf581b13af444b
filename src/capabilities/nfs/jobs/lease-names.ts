// Names of Leases as upstream's sidecars make them: whoever comes from there stands for the same Lease, so that two of a job never act at once.

/** `nfs-csi-k8s-io` for the provisioner; with a prefix for the others. */
export function driverLeaseName(
  prefix: '' | 'external-resizer-' | 'external-attacher-leader-' | 'external-snapshotter-leader-',
  driver: string,
): string {
  const name = `${prefix}${driver}`.replaceAll(/[^a-zA-Z0-9-]/g, '-')
  return name.endsWith('-') ? `${name}X` : name
}

export const snapshotControllerLease = 'snapshot-controller-leader'

/** The Lease of a job of ours, for which upstream has none. */
export const ownLeaseName = (job: string, driver: string): string =>
  `ballast-nfs-${job}-${driver.toLowerCase().replaceAll(/[^a-z0-9]/g, '-')}`
