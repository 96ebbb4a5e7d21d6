package shop

import shop.prices.Price as Amount

data class Item(val name: String, val price: Int)

// INCOMMENT sums up
fun total(items: List<Item>): Int {
    var sum = 0
    for (item in items) {
        sum += item.price + INBLOCK
    }
    println("INSTRING")
    return sum
}
