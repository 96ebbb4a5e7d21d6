import { Store as Base } from "./store";

interface User {
  id: number;
  name: string;
}

// INCOMMENT keeps users by id
export class UserStore extends Base<User> implements Closable {
  private users = new Map<number, User>();

  add(user: User): void {
    if (this.users.has(user.id)) {
      INBLOCK();
      throw new Error(`INSTRING ${user.id}`);
    }
    this.users.set(user.id, user);
  }
}
