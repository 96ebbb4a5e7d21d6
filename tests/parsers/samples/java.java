package shop;

import java.util.List;

@Entity
public class Cart extends Basket implements Priced {
    private final List<Integer> prices;

    public Cart(List<Integer> prices) {
        this.prices = prices;
    }

    // INCOMMENT in cents
    public int total() {
        int sum = 0;
        for (int price : prices) {
            sum += price * INBLOCK;
        }
        System.out.println("INSTRING");
        return sum;
    }
}
