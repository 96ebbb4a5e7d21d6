package shop

import scala.math.{max => largest}

case class Item(name: String, price: Int)

object Cart extends Basket {
  // INCOMMENT sums up
  def total(items: Seq[Item]): Int = {
    val label = "INSTRING"
    println(label)
    items.map(_.price).sum + INBLOCK
  }
}
