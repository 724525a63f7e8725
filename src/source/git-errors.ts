import { type ErrorCode, WeirError } from '../errors.ts'

/** What git prints, in the order in which it is looked for: the first match is the cause a person would have looked for. */
const CAUSES: readonly { readonly says: RegExp; readonly code: ErrorCode; readonly cause: string; readonly next: string }[] = [
  {
    says: /ssh: not found|cannot run ssh/,
    code: 'E_SOURCE_UNREACHABLE',
    cause: 'this machine has no ssh',
    next: 'apt-get install openssh-client, then weir deploy again',
  },
  {
    says: /No user exists for uid|^unshare: /m,
    code: 'E_SOURCE_UNREACHABLE',
    cause: 'ssh needs an account with a name, and this machine lets nobody make a user namespace that has one',
    next: 'sysctl kernel.unprivileged_userns_clone=1, or an address with https://',
  },
  {
    says: /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|No \w+ host key is known/,
    code: 'E_SOURCE_HOST_KEY',
    cause: "the host's key is not among the known hosts stored for the repository",
    next: 'store a deploy key together with the known_hosts lines of the host',
  },
  {
    says: /Permission denied|Authentication failed|could not read (Username|Password)|terminal prompts disabled|HTTP Basic: Access denied|error: 40[13]\b|invalid credentials/i,
    code: 'E_SOURCE_AUTH',
    cause: 'the host refused the stored credential, or none is stored',
    next: 'store a token or deploy key that may read the repository',
  },
  {
    says: /error: 3\d\d|redirect/i,
    code: 'E_SOURCE_NOT_FOUND',
    cause: 'the repository has moved to another address; redirects are not followed',
    next: 'use its new address',
  },
  {
    says: /Remote branch .* not found|couldn't find remote ref|not our ref|unadvertised object|bad object|unknown revision|Not a valid object name|no such remote ref/i,
    code: 'E_SOURCE_NOT_FOUND',
    cause: 'the repository has no such branch, tag or commit',
    next: 'check the name, and that it was pushed',
  },
  {
    says: /repository .* not found|does not appear to be a git repository|Repository not found|error: 404|No such file or directory|does not exist|not a git repository/i,
    code: 'E_SOURCE_NOT_FOUND',
    cause: 'there is no repository at this address, or the credential does not show it',
    next: 'check the address; a private repository needs a credential',
  },
  {
    says: /server certificate|SSL certificate|certificate verif|SSL_ERROR|TLS/i,
    code: 'E_SOURCE_UNREACHABLE',
    cause: "the host's TLS certificate is not trusted by this machine",
    next: "add its authority to the machine's certificates",
  },
  {
    says: /Could not resolve host|unable to access|Connection (refused|timed out|reset|closed)|Network is unreachable|No route to host|unable to connect|Failed to connect|early EOF|hung up|HTTP 5\d\d|error: 5\d\d/i,
    code: 'E_SOURCE_UNREACHABLE',
    cause: 'the host does not answer',
    next: 'weir deploy again once it does',
  },
]

/** Says what went wrong in terms of the repository at `shown` (an address free of credentials), never with git's text as a whole. */
export function gitError(shown: string, stderr: string): WeirError {
  const found = CAUSES.find(({ says }) => says.test(stderr))
  const line = quotedLine(stderr, found?.says)
  if (!found)
    return new WeirError('E_SOURCE_UNREACHABLE', {
      message: `cannot read ${shown}`,
      cause: line === '' ? 'git ended without a word' : `git says: ${line}`,
      ...KEEPS,
    })
  return new WeirError(found.code, {
    message: `cannot read ${shown}`,
    cause: line === '' ? found.cause : `${found.cause} (git says: ${line})`,
    next: found.next,
    ...KEEPS,
  })
}

const KEEPS = { state: 'what runs goes on unchanged' } as const

/** The line that says most, without what could be a credential or a terminal's control sequence. */
function quotedLine(stderr: string, says: RegExp | undefined): string {
  const lines = stderr.split('\n').map((line) => line.trim())
  const line = lines.find((it) => says?.test(it)) ?? lines.find((it) => /^(fatal|error|ERROR|remote):/.test(it)) ?? lines.find((it) => it !== '') ?? ''
  return line
    .replace(/\/\/[^/\s@]*@/g, '//')
    .replace(/(Basic|Bearer) +\S+/gi, '$1 «hidden»')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 200)
}
