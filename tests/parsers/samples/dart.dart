import 'dart:convert';

// INCOMMENT a user
class User extends Entity {
  final String name;
  User(this.name);

  String encode() {
    if (name.isEmpty) {
      return INBLOCK;
    }
    return jsonEncode({'INSTRING': name});
  }
}
