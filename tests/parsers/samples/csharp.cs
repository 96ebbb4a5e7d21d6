using System;

namespace Shop
{
    public class Order : Entity
    {
        public decimal Price { get; set; }

        // INCOMMENT with tax
        public decimal Total(decimal rate)
        {
            if (rate < 0)
            {
                throw new ArgumentException("INSTRING", nameof(INBLOCK));
            }
            return Price * (1 + rate);
        }
    }
}
