export interface User {
  id: string;
  email: string;
  displayName: string;
}

interface Session {
  token: string;
  user: User;
  expiresAt: number;
}

const SESSION_LIFETIME_MS = 30 * 60 * 1000;

export class SessionStore {
  private readonly sessions = new Map<string, Session>();

  constructor(private readonly now: () => number = Date.now) {}

  create(user: User): Session {
    const token = crypto.randomUUID();
    const session: Session = {
      token,
      user,
      expiresAt: this.now() + ▮
    };
    this.sessions.set(token, session);
    return session;
  }

  find(token: string): User | undefined {
    const session = this.sessions.get(token);
    if (session === undefined) {
      return undefined;
    }
    if (session.expiresAt <= this.now()) {
      this.sessions.delete(token);
      return undefined;
    }
    return session.user;
  }
}
