// `/version`: which Kubernetes is simulated.
import type { Draft } from '../../json-value.ts'

const oldestMinor = 32
export const newestMinor = 36
/** What the twin can play, in words. */
export const servedVersions = `1.${oldestMinor} to 1.${newestMinor}`

export function versionDocument(minor: number): Draft {
  return {
    major: '1',
    minor: String(minor),
    // Told from 1.33 on.
    ...(minor < 33
      ? {}
      : {
          emulationMajor: '1',
          emulationMinor: String(minor),
          minCompatibilityMajor: '1',
          minCompatibilityMinor: String(minor - 1),
        }),
    gitVersion: `v1.${minor}.0+ballast`,
    gitCommit: '0'.repeat(40),
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: 'none',
    compiler: 'none',
    platform: 'linux/amd64',
  }
}

/** `1.34`, `v1.34.2` as the number of the minor; undefined for what is no served version. */
export function minorOf(version: string): number | undefined {
  const match = /^v?1\.(\d+)/.exec(version)
  const minor = match === null ? Number.NaN : Number(match[1])
  return minor >= oldestMinor && minor <= newestMinor ? minor : undefined
}
