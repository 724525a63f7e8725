import type { SecretMount } from '../drivers/driver.ts'
import type { OpenSecrets } from '../drivers/process/driver.ts'
import { WeirError } from '../errors.ts'
import type { Credentials } from '../source/credentials.ts'
import type { SealedValues } from '../store/sealed.ts'

/** Values of the secrets that a process is given, opened at the last moment. */
export function openSecrets(sealed: SealedValues): OpenSecrets {
  return async (environment, mounts: readonly SecretMount[]) => {
    const values: Record<string, string> = {}
    for (const { name, version } of mounts) {
      const secret = await sealed.secret(environment, name, version)
      if (!secret)
        throw new WeirError('E_START_FAILED', {
          message: `secret ${name} is not there`,
          cause: `version ${version} was removed`,
          next: `weir secrets set ${name} < FILE`,
        })
      values[name] = secret.revealText()
    }
    return values
  }
}

/** What a tenant stored for a repository: a deploy key for ssh, `user:token` for https. */
export function repositoryCredentials(sealed: SealedValues): Credentials {
  return async (tenant, url) => {
    const key = await sealed.credential(tenant, 'deploy-key', url)
    if (key) {
      const hosts = await sealed.credential(tenant, 'known-hosts', url)
      return { kind: 'ssh', privateKey: key.revealText(), knownHosts: hosts?.revealText() ?? '' }
    }
    const token = await sealed.credential(tenant, 'token', url)
    if (!token) return null
    const text = token.revealText().trim()
    const colon = text.indexOf(':')
    return colon === -1 ? { kind: 'token', user: 'token', token: text } : { kind: 'token', user: text.slice(0, colon), token: text.slice(colon + 1) }
  }
}
